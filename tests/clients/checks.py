"""A check of schemathesis: the code of an error is one of those that the document lists for its response."""

import schemathesis


def code(error: dict) -> str:
    """The code of a problem, or of an error in the form of OpenAI's."""
    return error["error"]["code"] if "error" in error else error["code"]


@schemathesis.check
def code_is_documented(ctx, response, case) -> None:
    documented = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    codes = documented.get("x-codes")
    assert codes is None or code(response.json()) in codes, f"{code(response.json())} is not in {codes}"
