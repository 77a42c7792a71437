#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "cli/command_line.hpp"

// The tour: dumps with what is known of them. It ends with 0 only if every verdict is the expected one.
namespace hyperstep::cli {
namespace {

class Tour : public testing::Test {
protected:
    void SetUp() override {
        folder_ = std::filesystem::temp_directory_path() / ("hyperstep_tour_" + std::to_string(::getpid()));
        std::filesystem::create_directories(folder_);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    void write(const std::string& name, const std::string& text) const {
        std::ofstream{folder_ / name} << text;
    }

    int run() {
        const std::string folder = folder_.string();
        const std::vector<const char*> arguments{"hyperstep", "tour", folder.c_str()};
        std::ostringstream out;
        std::ostringstream err;
        std::streambuf* const old_out = std::cout.rdbuf(out.rdbuf());
        std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
        const int status = run_command_line(arguments);
        std::cout.rdbuf(old_out);
        std::cerr.rdbuf(old_err);
        out_ = out.str();
        err_ = err.str();
        return status;
    }

    std::string out_, err_;

private:
    std::filesystem::path folder_;
};

constexpr const char* sti_with_if_0 =
    "guest_interruptibility = 0x1\nguest_rflags = 0x2\nexit_reason = 0x80000021\nexit_qualification = 0x0\n";

TEST_F(Tour, IsGoodIfEveryVerdictIsAsKnown) {
    write("a.txt", sti_with_if_0);
    write("expected.csv", "file,verdict,rules\na.txt,broken,guest.int.sti_needs_if\n");
    EXPECT_EQ(run(), 0) << out_ << err_;
    EXPECT_NE(out_.find("1 of 1 dumps"), std::string::npos);
}

TEST_F(Tour, FailsIfAVerdictIsNot) {
    write("a.txt", sti_with_if_0);
    for (const char* expected : {"a.txt,holds,",
                                 "a.txt,unknown,",
                                 "a.txt,broken,guest.rflags.bit1",
                                 "a.txt,broken,guest.int.sti_needs_if guest.rflags.bit1"}) {
        write("expected.csv", std::string{"file,verdict,rules\n"} + expected + "\n");
        EXPECT_EQ(run(), 1) << expected;
        EXPECT_NE(out_.find("NOT as known"), std::string::npos);
    }
}

TEST_F(Tour, FailsIfADumpIsNotRecognised) {
    write("a.txt", "nothing of interest\n");
    write("expected.csv", "file,verdict,rules\na.txt,holds,\n");
    EXPECT_EQ(run(), 1);
    EXPECT_NE(out_.find("found no dump"), std::string::npos);
}

TEST_F(Tour, SaysWhichFileCannotBeRead) {
    EXPECT_EQ(run(), 2);
    EXPECT_NE(err_.find("expected.csv"), std::string::npos);
    write("expected.csv", "file,verdict,rules\nmissing.txt,holds,\n");
    EXPECT_EQ(run(), 2);
    EXPECT_NE(err_.find("missing.txt"), std::string::npos);
}

TEST_F(Tour, RefusesATableThatIsNone) {
    for (const char* table :
         {"file,verdict,rules\n", "file,verdict,rules\na.txt\n", "h\n../a.txt,holds,\n"}) {
        write("expected.csv", table);
        EXPECT_EQ(run(), 2) << table;
        EXPECT_NE(err_.find("expected.csv"), std::string::npos);
    }
}

}  // namespace
}  // namespace hyperstep::cli
