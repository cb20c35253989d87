"""The page's four edits as tools of an assistant, used by a real client."""

import asyncio
import base64
import io
from collections.abc import Iterator

import pytest

pytest.importorskip("gradio")
pytest.importorskip("mcp")

from faces import draw_face
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from PIL import Image
from tiny import tiny_pipeline

import app


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        page = app.build(tiny_pipeline(), examples=tmp_path_factory.mktemp("no-examples"))
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.LAUNCH)
        yield url
        page.close(verbose=False)


def ask(url: str, tool: str | None = None, **arguments: object) -> object:
    """The list of tools, or one tool's answer."""

    async def talk() -> object:
        address = f"{url}gradio_api/mcp/"
        async with (
            streamablehttp_client(address) as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            if tool is None:
                return (await session.list_tools()).tools
            return await session.call_tool(tool, arguments)

    return asyncio.run(talk())


def as_data(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def test_the_four_edits_are_tools_with_described_inputs(url):
    tools = {tool.name: tool for tool in ask(url)}
    assert set(tools) == {"remove", "synthesize", "transfer", "interpolate"}
    assert tools["remove"].description.startswith("Take the expression off a face in a photo")
    expression = tools["synthesize"].inputSchema["properties"]["expression"]
    assert expression["enum"] == ["neutral", "happiness", "look at camera", "open eyes"]


def test_a_tool_returns_the_edited_photo(url):
    photo = Image.fromarray(draw_face(200, smile=0.6))
    answer = ask(url, "remove", photo=as_data(photo))
    assert not answer.isError
    (picture,) = [each for each in answer.content if each.type == "image"]
    edit = Image.open(io.BytesIO(base64.b64decode(picture.data)))
    assert edit.size == photo.size
    assert edit.tobytes() != photo.tobytes()


def test_a_photo_without_a_face_is_answered_in_a_sentence(url):
    answer = ask(url, "remove", photo=as_data(Image.new("RGB", (200, 200), "grey")))
    assert answer.isError
    assert "could not find a face" in answer.content[0].text
