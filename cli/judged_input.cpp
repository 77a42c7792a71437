#include "cli/judged_input.hpp"

#include <chrono>
#include <iostream>
#include <unistd.h>
#include <utility>

#include "cli/input_file.hpp"
#include "cli/processor_choice.hpp"

namespace hyperstep::cli {
namespace {

/// How much was read, on stderr from the first second on, if somebody watches.
class Progress {
public:
    ~Progress() {
        if (shown_) std::cerr << "\r\x1b[K";
    }
    Progress() = default;
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void add(std::size_t bytes) {
        bytes_ += bytes;
        if (!watched_) return;
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::seconds{1}) return;
        last_ = now;
        shown_ = true;
        std::cerr << "\rread " << (bytes_ >> 20U) << " MiB" << std::flush;
    }

private:
    bool watched_ = isatty(STDERR_FILENO) != 0;
    bool shown_ = false;
    std::size_t bytes_ = 0;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace

tl::expected<ChosenProcessor, std::string> ChosenProcessor::of(const std::string& cpu_name,
                                                               const std::string& msrs_file) {
    const auto chosen = choose_processor(cpu_name, msrs_file);
    if (!chosen) return tl::unexpected{chosen.error()};
    ChosenProcessor processor;
    processor.chosen_ = *chosen;
    processor.is_chosen_ = !cpu_name.empty() || !msrs_file.empty();
    return processor;
}

vmx::Capabilities ChosenProcessor::processor_of(const explain::Dump& dump) const {
    if (is_chosen_ || dump.cpu.empty()) return chosen_;
    return vmx::preset(dump.cpu).value_or(vmx::Capabilities{});
}

explain::JudgedDump ChosenProcessor::judge(explain::Dump dump) const {
    const vmx::Capabilities cpu = processor_of(dump);
    explain::JudgedDump judged{std::move(dump), {}, {}};
    judged.state = judged_state(judged.dump, cpu);
    judged.verdict = explain::judge(judged.dump, cpu);
    return judged;
}

JudgedInput judge_file(const std::string& file, const ChosenProcessor& processor) {
    explain::DumpScanner scanner;
    JudgedInput input{{file, {}}, {}};
    {
        Progress progress;
        const auto problem = read_pieces(file, [&](std::string_view piece) {
            scanner.feed(piece);
            progress.add(piece.size());
        });
        if (problem) input.problems.push_back(*problem);
    }
    const std::string name = file == "-" ? "standard input" : file;
    for (explain::Dump& dump : scanner.finish()) {
        if (dump.unreadable.empty())
            input.content.dumps.push_back(processor.judge(std::move(dump)));
        else
            input.problems.push_back(name + ":" + std::to_string(dump.line_first) + ": " + dump.unreadable);
    }
    return input;
}

}  // namespace hyperstep::cli
