#include <string>

#include <gtest/gtest.h>

#include "tests/cli/run_command.hpp"

// The tour: dumps with what is known of them. It ends with 0 only if every verdict is the expected one.
namespace hyperstep::cli {
namespace {

class Tour : public testing::Test {
protected:
    void write(const std::string& name, const std::string& text) const { folder_.write(name, text); }

    int run_tour() {
        const Outcome o = run({"tour", folder_.path()});
        out_ = o.out;
        err_ = o.err;
        return o.status;
    }

    std::string out_, err_;

private:
    Folder folder_;
};

constexpr const char* sti_with_if_0 =
    "guest_interruptibility = 0x1\nguest_rflags = 0x2\nexit_reason = 0x80000021\nexit_qualification = 0x0\n";

TEST_F(Tour, IsGoodIfEveryVerdictIsAsKnown) {
    write("a.txt", sti_with_if_0);
    write("expected.csv", "file,verdict,rules\na.txt,broken,guest.int.sti_needs_if\n");
    EXPECT_EQ(run_tour(), 0) << out_ << err_;
    EXPECT_NE(out_.find("1 of 1 dumps"), std::string::npos);
}

TEST_F(Tour, FailsIfAVerdictIsNot) {
    write("a.txt", sti_with_if_0);
    for (const char* expected : {"a.txt,holds,",
                                 "a.txt,unknown,",
                                 "a.txt,broken,guest.rflags.bit1",
                                 "a.txt,broken,guest.int.sti_needs_if guest.rflags.bit1"}) {
        write("expected.csv", std::string{"file,verdict,rules\n"} + expected + "\n");
        EXPECT_EQ(run_tour(), 1) << expected;
        EXPECT_NE(out_.find("NOT as known"), std::string::npos);
    }
}

TEST_F(Tour, FailsIfADumpIsNotRecognised) {
    write("a.txt", "nothing of interest\n");
    write("expected.csv", "file,verdict,rules\na.txt,holds,\n");
    EXPECT_EQ(run_tour(), 1);
    EXPECT_NE(out_.find("found no dump"), std::string::npos);
}

TEST_F(Tour, SaysWhichFileCannotBeRead) {
    EXPECT_EQ(run_tour(), 2);
    EXPECT_NE(err_.find("expected.csv"), std::string::npos);
    write("expected.csv", "file,verdict,rules\nmissing.txt,holds,\n");
    EXPECT_EQ(run_tour(), 2);
    EXPECT_NE(err_.find("missing.txt"), std::string::npos);
}

TEST_F(Tour, RefusesATableThatIsNone) {
    for (const char* table :
         {"file,verdict,rules\n", "file,verdict,rules\na.txt\n", "h\n../a.txt,holds,\n"}) {
        write("expected.csv", table);
        EXPECT_EQ(run_tour(), 2) << table;
        EXPECT_NE(err_.find("expected.csv"), std::string::npos);
    }
}

}  // namespace
}  // namespace hyperstep::cli
