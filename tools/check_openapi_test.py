"""The OpenAPI check fails on each difference between page and code, and passes what is right."""

import os
import sys
import unittest

TOOLS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, TOOLS)

import check_openapi  # noqa: E402

MANAGE = """
    RouteInfo{Method::kGet, "/manage/v1/tokens/{token}", Route::kGetToken},
    RouteInfo{Method::kPost,
              "/manage/v1/tokens/{token}:disable", Route::kDisableToken},
"""
GATEWAY = 'add(Method::kGet, "/data/{+workspace}", Route::kCatalogue);'
REASON = """
    {Reason::kNone, 200, "", ""},
    {Reason::kNotFound, 404, "not_found", "Not Found"},
    {Reason::kConflict, 409, "conflict",
     "x"},
"""
PAGE = """
paths:
  # a comment
  /v1/data/{workspace}:
    get:
      operationId: one
  /manage/v1/tokens/{token}:
    parameters:
      - {$ref: "#/components/parameters/id"}
    get:
      operationId: two
  /manage/v1/tokens/{token}:disable:
    post:
      operationId: three
      responses:
        default: {$ref: "#/components/responses/No"}
components:
  parameters:
    id:
      name: id
  responses:
    No:
      schema: {$ref: "#/components/schemas/Reason"}
  schemas:
    Reason:
      type: string
      enum:
        - not_found
        - conflict
      description: a word
"""


class CheckOpenApiTest(unittest.TestCase):
    def check(self, page=PAGE, manage=MANAGE, gateway=GATEWAY, reason=REASON):
        return check_openapi.problems(manage, gateway, reason, page)

    def assert_problem(self, words, **changed):
        found = self.check(**changed)
        self.assertTrue(any(words in problem for problem in found), found)

    def test_passes_what_agrees(self):
        self.assertEqual(self.check(), [])

    def test_finds_a_route_that_the_page_lacks(self):
        self.assert_problem("lacks GET /v1/more", gateway=GATEWAY + 'add(Method::kGet, "/more", Route::kMore);')
        self.assert_problem("lacks GET /v1/data", page=PAGE.replace("/v1/data/", "/v2/data/"))

    def test_finds_a_route_that_the_code_has_not(self):
        self.assert_problem(
            "POST /manage/v1/tokens/{token}:disable, which the code has not",
            manage=MANAGE.replace(":disable", ":enable"),
        )

    def test_finds_reasons_that_differ(self):
        self.assert_problem("lacks the reason conflict", page=PAGE.replace("        - conflict\n", ""))
        self.assert_problem("has the reason odd", page=PAGE.replace("- conflict", "- conflict\n        - odd"))

    def test_finds_references_to_nothing_and_what_nothing_refers_to(self):
        self.assert_problem("refers to #/components/responses/Yes", page=PAGE.replace("s/No", "s/Yes"))
        self.assert_problem("No, which nothing refers to", page=PAGE.replace("s/No", "s/Yes"))

    def test_finds_operation_ids_that_are_missing_or_stand_twice(self):
        self.assert_problem("operationId two twice", page=PAGE.replace("Id: one", "Id: two"))
        self.assert_problem("without an operationId", page=PAGE.replace("      operationId: one\n", ""))

    def test_says_so_when_it_finds_nothing_to_compare(self):
        self.assert_problem("must be mended", manage="", gateway="")


if __name__ == "__main__":
    unittest.main()
