#include "manage/dataset_export.h"

#include <gtest/gtest.h>

#include "test/support/planes.h"

namespace latchkey::manage {
namespace {

constexpr const char* kCsv =
    "symbol,day,price,note\nA,2024-01-01,1.50,\"x, \"\"y\"\"\"\nB,2024-01-02,2,=1+1\n";

class DatasetExportTest : public testing::Test {
 protected:
  http::ClientResponse Import(const std::string& name, const std::string& body) const {
    return planes_.Operator("POST",
                            "/operator/v1/datasets/core/" + name + ":import?key=symbol&date=day",
                            body, {{"Content-Type", "text/csv"}});
  }
  http::ClientResponse Export(const std::string& name, const std::string& query) const {
    return planes_.Operator("GET", "/operator/v1/datasets/core/" + name + ":export" + query);
  }

  test::Planes planes_;
};

TEST_F(DatasetExportTest, GivesWhatAnImportMakesTheSameRecordsOf) {
  ASSERT_EQ(Import("PRICES", kCsv).status, 201);
  const auto json = Export("prices", "");
  ASSERT_EQ(json.status, 200) << json.body;
  EXPECT_EQ(json.Header("Content-Type"), "application/json; charset=utf-8");
  EXPECT_EQ(json.Header("Latchkey-Content-Bytes"), std::to_string(json.body.size()));
  for (const char* format : {"json", "jsonl", "csv"}) {
    const auto exported = Export("PRICES", std::string("?format=") + format);
    ASSERT_EQ(exported.status, 200) << format;
    EXPECT_NE(exported.body.find("1.5"), std::string::npos) << exported.body;
    EXPECT_NE(exported.body.find("=1+1"), std::string::npos) << exported.body;
    const std::string copy = std::string("COPY_") + format;
    const auto again = Import(copy, exported.body);
    ASSERT_EQ(again.status, 201) << format << again.body;
    EXPECT_EQ(Export(copy, "").body, json.body) << format;
  }
}

TEST_F(DatasetExportTest, AnEmptyDatasetGivesAnEmptyFileOfTheForm) {
  ASSERT_EQ(planes_
                .Operator("POST", "/operator/v1/datasets",
                          R"({"workspace":"core","name":"NEW","key":"symbol",)"
                          R"("fields":[{"name":"symbol","type":"string"}]})")
                .status,
            201);
  EXPECT_EQ(Export("NEW", "").body, "[]");
  EXPECT_EQ(Export("NEW", "?format=jsonl").body, "");
  EXPECT_EQ(Export("NEW", "?format=csv").body, "symbol\r\n");
}

TEST_F(DatasetExportTest, HoldsManyPagesInOrder) {
  std::string csv = "symbol,day,price,note\n";
  for (int i = 0; i < 25'000; ++i) csv += "K" + std::to_string(i) + ",2024-01-01,1,n\n";
  ASSERT_EQ(Import("MANY", csv).status, 201);
  const auto exported = Export("MANY", "?format=jsonl");
  ASSERT_EQ(exported.status, 200);
  EXPECT_EQ(std::count(exported.body.begin(), exported.body.end(), '\n'), 25'000);
  ASSERT_EQ(Import("MANY_COPY", exported.body).status, 201);
  EXPECT_EQ(Export("MANY_COPY", "?format=jsonl").body, exported.body);
}

TEST_F(DatasetExportTest, RefusesAnotherFormAndWhatIsNotThere) {
  ASSERT_EQ(Import("PRICES", kCsv).status, 201);
  EXPECT_EQ(Export("PRICES", "?format=xml").status, 400);
  EXPECT_EQ(Export("NONE", "").status, 404);
  EXPECT_EQ(planes_.Operator("POST", "/operator/v1/datasets/core/PRICES:export").status, 405);
}

}  // namespace
}  // namespace latchkey::manage
