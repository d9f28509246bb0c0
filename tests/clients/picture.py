"""Takes the picture of the page in the README, `docs/page.png`, from the server that the variable `SIAMESE` names."""

import shutil

from playwright.sync_api import sync_playwright

from conftest import ROOT, Server

WIDTH = 1080
# What stays free below the last card.
MARGIN = 14


def main() -> None:
    server = Server()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        page.goto(server.address)
        page.get_by_role("button", name="one person twice").click()
        page.locator("#slot-b .model-input").wait_for()
        card = page.locator(".card", has=page.locator(".chart"))
        card.wait_for()
        page.mouse.move(0, 0)
        page.evaluate("document.activeElement.blur()")
        page.wait_for_load_state("networkidle")
        box = card.bounding_box()
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": box["y"] + box["height"] + MARGIN}
        page.screenshot(path=ROOT / "docs" / "page.png", full_page=True, clip=clip)
        browser.close()
    server.stop()


if __name__ == "__main__":
    main()
