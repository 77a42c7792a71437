#include "machine/run.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace hyperstep::machine {
namespace {

using Json = nlohmann::ordered_json;

/// Instructions between two calls of RunListener::progress.
constexpr std::uint64_t progress_every = 20'000'000;

std::string in_hex(std::uint64_t value) {
    return fmt::format("{:#x}", value);
}

std::uint64_t next_multiple(std::uint64_t after, std::uint64_t of) {
    const std::uint64_t count = after / of + 1;
    return count > Timeline::never / of ? Timeline::never : count * of;
}

Json segment_json(const cpu::Segment& segment) {
    return {{"selector", in_hex(segment.selector)},
            {"base", in_hex(segment.base)},
            {"limit", in_hex(segment.limit)},
            {"rights", in_hex(segment.rights.raw)}};
}

Json table_json(const cpu::TableRegister& table) {
    return {{"base", in_hex(table.base)}, {"limit", in_hex(table.limit)}};
}

Json registers_json(const cpu::State& state) {
    static constexpr std::array<const char*, 16> names{"rax",
                                                       "rcx",
                                                       "rdx",
                                                       "rbx",
                                                       "rsp",
                                                       "rbp",
                                                       "rsi",
                                                       "rdi",
                                                       "r8",
                                                       "r9",
                                                       "r10",
                                                       "r11",
                                                       "r12",
                                                       "r13",
                                                       "r14",
                                                       "r15"};
    static constexpr std::array<const char*, 6> segments{"es", "cs", "ss", "ds", "fs", "gs"};
    static constexpr std::array<const char*, 5> activities{
        "active", "hlt", "shutdown", "wait_for_sipi", "mwait"};
    Json json;
    for (std::size_t i = 0; i < names.size(); ++i) json[names[i]] = in_hex(state.gpr[i]);
    json["rip"] = in_hex(state.rip);
    json["rflags"] = in_hex(state.rflags);
    json["cr0"] = in_hex(state.cr0);
    json["cr2"] = in_hex(state.cr2);
    json["cr3"] = in_hex(state.cr3);
    json["cr4"] = in_hex(state.cr4);
    json["efer"] = in_hex(state.msr.efer);
    for (std::size_t i = 0; i < segments.size(); ++i) json[segments[i]] = segment_json(state.segment[i]);
    json["ldtr"] = segment_json(state.ldtr);
    json["tr"] = segment_json(state.tr);
    json["gdtr"] = table_json(state.gdtr);
    json["idtr"] = table_json(state.idtr);
    json["activity"] = activities[static_cast<std::size_t>(state.activity)];
    json["instructions"] = state.retired;
    return json;
}

}  // namespace

PatternWatch::PatternWatch(std::string pattern)
    : pattern_{std::move(pattern)}, fallback_(pattern_.size() + 1) {
    for (std::size_t i = 1, length = 0; i < pattern_.size(); ++i) {
        while (length > 0 && pattern_[i] != pattern_[length]) length = fallback_[length];
        if (pattern_[i] == pattern_[length]) ++length;
        fallback_[i + 1] = length;
    }
}

bool PatternWatch::sees(char byte) {
    if (pattern_.empty()) return false;
    if (matched_ == pattern_.size()) matched_ = fallback_[matched_];
    while (matched_ > 0 && pattern_[matched_] != byte) matched_ = fallback_[matched_];
    if (pattern_[matched_] == byte) ++matched_;
    return matched_ == pattern_.size();
}

Ending run_to_end(Pc& pc, const RunLimits& limits, const RunListener& listener) {
    for (;;) {
        const std::uint64_t done = pc.time().retired;
        std::uint64_t until = std::min(limits.instructions, next_multiple(done, progress_every));
        if (limits.hash_every != 0) until = std::min(until, next_multiple(done, limits.hash_every));
        if (const auto ending = pc.run_until(until)) return *ending;
        const std::uint64_t now = pc.time().retired;
        if (limits.hash_every != 0 && now % limits.hash_every == 0 && listener.hash)
            listener.hash(now, pc.state_hash());
        if (now >= limits.instructions) return {.ended = Ended::limit};
        if (listener.progress) listener.progress(now);
    }
}

int exit_status(const Ending& ending) {
    switch (ending.ended) {
        case Ended::debug_exit: return static_cast<int>((ending.code << 1U | 1U) & 0xffU);
        case Ended::poweroff:
        case Ended::reset:
        case Ended::pattern: return 0;
        case Ended::triple_fault: return 3;
        case Ended::unimplemented: return 4;
        case Ended::limit: return 5;
        case Ended::deadlock: return 6;
    }
    return 0;
}

std::string hash_text(std::uint64_t hash) {
    return fmt::format("{:016x}", hash);
}

std::string result_json(Pc& pc, const Ending& ending) {
    Json json;
    json["schema"] = "hyperstep/run/1";
    json["ended"] = to_string(ending.ended);
    json["code"] = ending.code;
    json["instructions"] = pc.time().retired;
    json["virtual_ns"] = pc.time().now;
    json["clock"] = to_string(pc.clock_source());
    json["state_hash"] = hash_text(pc.state_hash());
    json["processor"] = ending.processor;
    std::uint64_t decoded = 0;
    Json processors = Json::array();
    for (unsigned i = 0; i < pc.processors(); ++i) {
        const cpu::Cpu& processor = pc.processor(i).cpu();
        decoded += processor.decoded;
        processors.push_back(registers_json(processor.state));
    }
    json["decoded"] = decoded;
    json["vcpus"] = std::move(processors);
    return json.dump() + '\n';
}

}  // namespace hyperstep::machine
