"""How the page looks: one calm theme, light and dark, and what the tabs share in CSS."""

from pathlib import Path

import gradio as gr

CSS = (Path(__file__).parent / "page.css").read_text("utf-8")

SAGE = gr.themes.Color(
    "#f1f6f4", "#dfebe7", "#c0d8d1", "#98bfb5", "#6aa295", "#468577", "#346c60", "#2b574e",
    "#254741", "#213c37", "#10211e", name="sage",
)  # fmt: skip
STONE = gr.themes.Color(
    "#faf9f7", "#f3f1ed", "#e7e4de", "#d5d1c9", "#a6a197", "#787369", "#58544c", "#43403a",
    "#2a2825", "#1d1c1a", "#131211", name="stone",
)  # fmt: skip
FONT = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")


def theme() -> gr.themes.Base:
    """Warm greys and a quiet green; the system's own fonts, so nothing is fetched."""
    look = gr.themes.Base(
        primary_hue=SAGE,
        secondary_hue=SAGE,
        neutral_hue=STONE,
        font=FONT,
        font_mono=("ui-monospace", "monospace"),
        radius_size=gr.themes.sizes.radius_lg,
        spacing_size=gr.themes.sizes.spacing_md,
    )
    return look.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_800",
        body_text_color="*neutral_800",
        body_text_color_dark="*neutral_200",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_label_background_fill="white",
        block_label_background_fill_dark="*neutral_900",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_label_border_width="0px",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
        block_shadow="none",
        error_background_fill="#fbeeea",
        error_background_fill_dark="#3a1f19",
        error_text_color="#8a2f1b",
        error_text_color_dark="#f3b9aa",
        input_background_fill="white",
        input_background_fill_dark="*neutral_800",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_500",
        checkbox_border_color_selected="*primary_600",
        checkbox_border_color_selected_dark="*primary_500",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        color_accent="*primary_600",
        color_accent_soft="*primary_50",
        color_accent_soft_dark="*primary_900",
        border_color_accent="*primary_500",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_800",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        loader_color="*primary_500",
    )
