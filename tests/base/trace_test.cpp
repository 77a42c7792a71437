#include "base/trace.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace hyperstep {
namespace {

struct Recorder final : TraceSink {
    void receive(const TraceEvent& event) override { events.push_back(event); }
    std::vector<TraceEvent> events;
};

TraceEvent an_exit() {
    TraceEvent event{.instructions = 1000, .vcpu = 1, .level = 2, .kind = TraceKind::exit};
    return event.word(0, 48).word(7, 0xfee0'0000);
}

TEST(Trace, BuildsNothingWhenNobodyListens) {
    const Trace silent;
    int built = 0;
    silent.report([&] {
        ++built;
        return an_exit();
    });
    EXPECT_FALSE(silent.heard());
    EXPECT_EQ(built, 0);
}

TEST(Trace, GivesEachEventToTheSinkOnce) {
    Recorder recorder;
    const Trace trace{&recorder};
    EXPECT_TRUE(trace.heard());
    trace.report(an_exit);
    trace.report([] { return TraceEvent{.instructions = 1001}; });
    ASSERT_EQ(recorder.events.size(), 2U);
    EXPECT_EQ(recorder.events[0], an_exit());
    EXPECT_EQ(recorder.events[1].instructions, 1001U);
}

TEST(TraceEvent, SaysWhichWordsAreValid) {
    const TraceEvent event = an_exit();
    EXPECT_TRUE(event.has(0));
    EXPECT_FALSE(event.has(1)) << "a word of 0 that was never given is not valid";
    EXPECT_TRUE(event.has(7));
    EXPECT_EQ(event.words[7], 0xfee0'0000U);
    TraceEvent full;
    for (std::size_t i = 0; i < TraceEvent::most_words; ++i) full.word(i, 0);
    EXPECT_EQ(full.valid, 0xfff);
}

}  // namespace
}  // namespace hyperstep
