#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/complaint.hpp"
#include "cli/guest_image.hpp"
#include "cpu/model.hpp"
#include "machine/diagnosis.hpp"
#include "machine/pc.hpp"
#include "machine/run.hpp"
#include "machine/symbols.hpp"
#include "machine/trace_lines.hpp"

namespace hyperstep::cli {
namespace {

constexpr const char* examples = R"(Examples:
  hyperstep run kernel.elf                          multiboot 1, ELF or a boot sector; its serial port is stdout
  hyperstep run --smp 4 --memory 1G --append "test=all" kernel.elf
  hyperstep run --module initrd.img,root=/dev/ram kernel.elf
  hyperstep run --until-pattern "login:" --max-instructions 5000000000 kernel.elf
  hyperstep run --seed 7 --result result.json --trace trace.jsonl kernel.elf
  hyperstep run --flat 0x100000 --entry-mode protected code.bin

The run is a function of the image, the options and the seed: the same command gives the same output and the same
state hash. --clock host gives that up for the host's time.

Exit status: (code << 1 | 1) modulo 256 for a debug exit (port 0xf4); 0 for power-off, port 0x8900, reset and
--until-pattern; 3 triple fault; 4 something that is not implemented; 5 --max-instructions; 6 every processor waits
and nothing will wake one; 2 bad usage or a bad image; 70 internal error.)";

/// 2020-01-01 00:00:00: what the guest's clock shows at power-on.
constexpr std::uint64_t start_seconds = 1'577'836'800;

struct RunOptions {
    ImageOptions image;
    std::string cpu = "max", memory = "128M", clock = "virtual";
    std::string pattern, result, trace, symbols;
    unsigned processors = 1;
    std::uint64_t seed = 0;
    std::uint64_t max_instructions = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t hash_every = 0;
    bool trace_instructions = false;
};

/// The guest's serial output: to stdout, and watched.
class SerialOutput {
public:
    explicit SerialOutput(const std::string& pattern) : watch_{pattern} {}
    void connect(machine::Pc& pc) { pc_ = &pc; }
    void put(char byte) {
        std::cout.put(byte);
        if (byte == '\n' || is_terminal_) std::cout.flush();
        if (watch_.sees(byte)) pc_->end({.ended = machine::Ended::pattern});
    }

private:
    machine::PatternWatch watch_;
    machine::Pc* pc_ = nullptr;
    bool is_terminal_ = isatty(STDOUT_FILENO) != 0;
};

/// A line on stderr that says how far a long run is; only for a person who looks.
class Progress {
public:
    void tell(std::uint64_t instructions) {
        const auto now = Clock::now();
        if (!is_terminal_ || now - told_ < std::chrono::seconds{1}) return;
        const double seconds = std::chrono::duration<double>(now - began_).count();
        std::cerr << "\r\x1b[Khyperstep: " << instructions / 1'000'000 << " million instructions, "
                  << static_cast<std::uint64_t>(static_cast<double>(instructions) / seconds / 1e6)
                  << " million a second" << std::flush;
        told_ = now;
        shown_ = true;
    }
    void clear() {
        if (shown_) std::cerr << "\r\x1b[K" << std::flush;
        shown_ = false;
    }

private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point began_ = Clock::now(), told_ = began_;
    bool is_terminal_ = isatty(STDERR_FILENO) != 0;
    bool shown_ = false;
};

/// A file that is written, or a sentence for stderr.
tl::expected<std::ofstream, std::string> opened(const std::string& file) {
    std::ofstream stream{file, std::ios::binary};
    if (!stream) return tl::unexpected{file + ": cannot be written"};
    return stream;
}

tl::expected<const cpu::Model*, std::string> chosen_model(const std::string& name) {
    if (name == "all")
        return tl::unexpected{
            std::string{"--cpu all is for judging states: it has more than any processor; run takes max"}};
    if (const cpu::Model* const model = cpu::find_model(name)) return model;
    std::string text = "no processor model is named \"" + name.substr(0, 80) + "\"; there are";
    for (const cpu::Model& model : cpu::models()) text += " " + std::string{model.name};
    return tl::unexpected{text};
}

/// The end of a run for people: nothing if the guest ended it itself.
void tell_ending(machine::Pc& pc,
                 const machine::Ending& ending,
                 const machine::Symbols& symbols,
                 const machine::EventLog& log) {
    switch (ending.ended) {
        case machine::Ended::debug_exit:
        case machine::Ended::poweroff:
        case machine::Ended::reset:
        case machine::Ended::pattern: return;
        case machine::Ended::limit:
        case machine::Ended::triple_fault:
        case machine::Ended::unimplemented:
        case machine::Ended::deadlock: break;
    }
    std::cerr << "hyperstep: " << machine::diagnosis(pc, ending, symbols, log.last());
}

/// Everything that a run needs besides the machine.
struct Surroundings {
    GuestImage image;
    machine::Symbols symbols;
    std::optional<std::ofstream> trace;
};

tl::expected<Surroundings, std::string> prepare(const RunOptions& options, const machine::MemoryMap& memory) {
    auto image = read_image(options.image, memory);
    if (!image) return tl::unexpected{image.error()};
    Surroundings around{.image = std::move(*image), .symbols = {}, .trace = {}};
    auto symbols = read_symbols(options.symbols, around.image);
    if (!symbols) return tl::unexpected{symbols.error()};
    around.symbols = std::move(*symbols);
    if (!options.trace.empty()) {
        auto trace = opened(options.trace);
        if (!trace) return tl::unexpected{trace.error()};
        around.trace = std::move(*trace);
    }
    return around;
}

int run_machine(const RunOptions& options, const machine::MemoryMap& memory, const cpu::Model& model) {
    auto around = prepare(options, memory);
    if (!around) return complain(around.error());
    std::optional<std::ofstream> result;
    if (!options.result.empty()) {
        auto file = opened(options.result);
        if (!file) return complain(file.error());
        result = std::move(*file);
    }
    machine::EventLog::Writer writer;
    if (around->trace) writer = [&trace = *around->trace](std::string_view line) { trace << line << '\n'; };
    machine::EventLog log{writer};
    SerialOutput serial{options.pattern};
    Progress progress;
    machine::Pc pc{
        {.model = &model,
         .processors = options.processors,
         .memory = memory,
         .seed = options.seed,
         .clock = options.clock == "host" ? machine::ClockSource::host : machine::ClockSource::virtual_time,
         .start_seconds = start_seconds,
         .serial = [&](char byte) { serial.put(byte); },
         .trace = Trace{&log},
         .traces_instructions = options.trace_instructions && around->trace.has_value()}};
    serial.connect(pc);
    pc.boot(around->image.plan);
    machine::RunListener listener;
    listener.progress = [&](std::uint64_t instructions) { progress.tell(instructions); };
    listener.hash = [&](std::uint64_t instructions, std::uint64_t hash) {
        progress.clear();
        std::cerr << "hash " << instructions << ' ' << machine::hash_text(hash) << '\n';
    };
    const machine::Ending ending = machine::run_to_end(
        pc, {.instructions = options.max_instructions, .hash_every = options.hash_every}, listener);
    std::cout.flush();
    progress.clear();
    tell_ending(pc, ending, around->symbols, log);
    if (result && !(*result << machine::result_json(pc, ending) << std::flush))
        return complain(options.result + ": cannot be written");
    if (around->trace && !around->trace->flush()) return complain(options.trace + ": cannot be written");
    return machine::exit_status(ending);
}

int run(const RunOptions& options) {
    const auto bytes = size_in(options.memory);
    if (!bytes)
        return complain("--memory " + options.memory.substr(0, 80) + ": give a size such as 512M or 2G");
    const auto memory = machine::MemoryMap::of(*bytes);
    if (!memory) return complain(memory.error());
    const auto model = chosen_model(options.cpu);
    if (!model) return complain(model.error());
    try {
        return run_machine(options, *memory, **model);
    } catch (const std::bad_alloc&) {
        return complain("the host does not have the memory for a guest of " + options.memory);
    }
}

}  // namespace

void add_run(CLI::App& app, int& status) {
    const auto options = std::make_shared<RunOptions>();
    CLI::App* command = app.add_subcommand("run", "Run a guest on a small PC");
    command->footer(examples);
    ImageOptions& image = options->image;
    command->add_option("IMAGE", image.file, "A multiboot 1 image, an ELF file, or a boot sector")
        ->required();
    command->add_option("--cpu", options->cpu, "The processor model (max)")->type_name("NAME");
    command->add_option("--smp", options->processors, "Processors, 1 to 64 (1)")
        ->check(CLI::Range(1U, machine::Schedule::most_processors))
        ->type_name("N");
    command->add_option("--memory", options->memory, "RAM: 2M to 1024G (128M)")->type_name("SIZE");
    command->add_option("--append", image.command_line, "The guest's command line")->type_name("TEXT");
    command
        ->add_option("--module",
                     image.modules,
                     "A multiboot module, and its command line behind a comma; again for more")
        ->allow_extra_args(false)
        ->type_name("FILE[,TEXT]");
    command
        ->add_option("--flat", image.flat, "The image is code without a header and belongs at this address")
        ->type_name("ADDRESS");
    command->add_option("--entry", image.entry, "Where a flat image is entered (at its start)")
        ->type_name("ADDRESS");
    command
        ->add_option("--entry-mode", image.entry_mode, "How a flat image is entered: real, protected, long")
        ->check(CLI::IsMember({"real", "protected", "long"}))
        ->type_name("MODE");
    command->add_option("--seed", options->seed, "Of the schedule and of RDRAND (0)")
        ->check(CLI::NonNegativeNumber)
        ->type_name("N");
    command->add_option("--clock", options->clock, "virtual or host (virtual)")
        ->check(CLI::IsMember({"virtual", "host"}))
        ->type_name("SOURCE");
    command
        ->add_option("--max-instructions", options->max_instructions, "End after so many, of all processors")
        ->check(CLI::NonNegativeNumber)
        ->type_name("N");
    command->add_option("--until-pattern", options->pattern, "End when the serial port has sent this")
        ->type_name("TEXT");
    command
        ->add_option("--state-hash-every",
                     options->hash_every,
                     "A line \"hash N HASH\" on stderr every N instructions")
        ->check(CLI::NonNegativeNumber)
        ->type_name("N");
    command->add_option("--result", options->result, "How the run ended, as JSON")->type_name("FILE");
    command->add_option("--trace", options->trace, "Ports, device registers, MSRs, events as JSON lines")
        ->type_name("FILE");
    command->add_flag("--trace-instructions", options->trace_instructions, "Every instruction too");
    command
        ->add_option(
            "--symbols", options->symbols, "Names of addresses: an ELF file, or a map as nm prints it")
        ->type_name("FILE");
    command->callback([options, &status] { status = run(*options); });
}

}  // namespace hyperstep::cli
