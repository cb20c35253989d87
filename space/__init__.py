"""What the page is made of; `app.py` puts it together. Nothing here is needed to use `g2gan`."""
