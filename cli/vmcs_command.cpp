#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <charconv>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/complaint.hpp"
#include "cli/input_file.hpp"
#include "cli/processor_choice.hpp"
#include "explain/entry_check_report.hpp"
#include "explain/tables_json.hpp"
#include "explain/tables_text.hpp"

namespace hyperstep::cli {
namespace {

constexpr int exit_refused = 1;
constexpr int exit_no_such_field = 1;

constexpr const char* examples = R"(Examples:
  hyperstep vmcs fields --cpu coffee-lake           every field, and whether that processor has it
  hyperstep vmcs encode guest_rip                   0x681e
  hyperstep vmcs decode 0x2803                      the high half of guest_debugctl
  hyperstep vmcs new --preset long-mode > state.json
  hyperstep vmcs check state.json                   would VMLAUNCH enter?

Exit status: 0 (check: enters), 1 (check: refused; decode: no such field), 2 bad usage, unreadable input, or a state
that leaves open whether it enters.)";

struct VmcsOptions {
    std::string name, number, file, cpu, msrs;
    std::string preset = "long-mode";
    bool json = false;
};

int fields(const VmcsOptions& options) {
    std::optional<vmx::Capabilities> cpu;
    if (!options.cpu.empty() || !options.msrs.empty()) {
        const auto chosen = choose_processor(options.cpu, options.msrs);
        if (!chosen) return complain(chosen.error());
        cpu = *chosen;
    }
    const vmx::Capabilities* known = cpu ? &*cpu : nullptr;
    std::cout << (options.json ? explain::fields_json(known) + '\n' : explain::fields_text(known));
    return exit_ok;
}

int encode(const VmcsOptions& options) {
    const auto field = vmx::field_named(options.name);
    if (!field) {
        std::vector<std::string> names;
        for (const vmx::FieldInfo& f : vmx::all_fields()) names.emplace_back(f.short_name);
        return complain_about_name("VMCS field", options.name, names);
    }
    std::cout << (options.json ? explain::encoding_json(encoding(*field)) + '\n'
                               : explain::field_text(*field));
    return exit_ok;
}

/// Encodings are written in hexadecimal, with or without 0x.
std::optional<std::uint32_t> encoding_in(std::string_view text) {
    if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
    std::uint32_t value = 0;
    const char* const end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, value, 16);
    if (text.empty() || result.ec != std::errc{} || result.ptr != end) return std::nullopt;
    return value;
}

int decode(const VmcsOptions& options) {
    const auto number = encoding_in(options.number);
    if (!number)
        return complain("\"" + options.number.substr(0, 80) +
                        "\" is not an encoding; write it in hexadecimal, such as 0x681e");
    std::cout << (options.json ? explain::encoding_json(*number) + '\n' : explain::encoding_text(*number));
    return vmx::field_with_encoding(*number) ? exit_ok : exit_no_such_field;
}

int create(const VmcsOptions& options) {
    std::vector<std::string> names;
    for (const vmx::BaseState base : vmx::all_base_states) {
        names.emplace_back(to_string(base));
        if (names.back() != options.preset) continue;
        std::cout << explain::write_state(base_state(base), "all") << '\n';
        return exit_ok;
    }
    return complain_about_name("base state", options.preset, names);
}

/// What is unknown of the processor is as the default processor, `all`, has it: a list of MSRs does not tell
/// what CPUID says.
void complete_processor(vmx::State& state) {
    const vmx::Capabilities all = vmx::preset("all").value();
    for (const vmx::Slot s : vmx::slots_of(vmx::SlotKind::capability)) {
        const vmx::PartialWord own = state[s];
        state.set(s, {own.value | (all[s].value & ~own.known), own.known | all[s].known});
    }
}

/// The state with the processor that it names, unless the command line chooses another; `all` where nobody
/// chooses.
tl::expected<vmx::State, std::string> state_to_check(const VmcsOptions& options) {
    constexpr std::size_t most = std::size_t{1} << 26U;
    const auto text = read_whole(options.file, most);
    if (!text) return tl::unexpected(text.error());
    auto read = explain::read_state(*text);
    if (!read) {
        const std::string where = read.error().line != 0 ? ":" + std::to_string(read.error().line) : "";
        return tl::unexpected(options.file + where + ": " + read.error().what);
    }
    const bool chosen_here = !options.cpu.empty() || !options.msrs.empty();
    if (chosen_here || !read->cpu_given) {
        const auto chosen = choose_processor(options.cpu, options.msrs);
        if (!chosen) return tl::unexpected(chosen.error());
        install(read->state, *chosen);
    }
    complete_processor(read->state);
    return std::move(read->state);
}

int check(const VmcsOptions& options) {
    const auto state = state_to_check(options);
    if (!state) return complain(state.error());
    const explain::EntryTrial trial = explain::try_entry(*state);
    std::cout << (options.json ? trial_json(trial, *state) + '\n' : trial_text(trial, *state));
    switch (trial.result) {
        case explain::EntryTrial::Result::enters: return exit_ok;
        case explain::EntryTrial::Result::refused: return exit_refused;
        case explain::EntryTrial::Result::cannot_be_told: break;
    }
    return complain(
        options.file +
        ": the state leaves open whether the entry succeeds; give the missing fields, or \"complete\": true");
}

void add_processor_options(CLI::App* command, VmcsOptions& options) {
    command->add_option("--cpu", options.cpu, "The processor: a preset's name")->type_name("NAME");
    command->add_option("--msrs", options.msrs, "The processor's capability MSRs")->type_name("FILE");
}

}  // namespace

void add_vmcs(CLI::App& app, int& status) {
    const auto options = std::make_shared<VmcsOptions>();
    CLI::App* command =
        app.add_subcommand("vmcs", "VMCS fields and states: list, encode, decode, make, check");
    command->footer(examples);
    command->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, int (*run)(const VmcsOptions&)) {
        CLI::App* sub = command->add_subcommand(name, help);
        sub->footer(examples);
        sub->add_flag("--json", options->json, "JSON on stdout");
        sub->callback([options, &status, run] { status = run(*options); });
        return sub;
    };
    add_processor_options(add("fields", "Every field: encodings, width, type, name", fields), *options);
    add("encode", "A field's encoding", encode)->add_option("NAME", options->name, "The field")->required();
    add("decode", "What an encoding names", decode)
        ->add_option("NUMBER", options->number, "The encoding, in hexadecimal")
        ->required();
    add("new", "A valid state as JSON, to start from", create)
        ->add_option(
            "--preset", options->preset, "long-mode, pae, protected-32, real-mode, virtual-8086 or host-32")
        ->type_name("NAME");
    CLI::App* checks = add("check", "Try a VM entry on a state", check);
    checks->add_option("FILE", options->file, "The state as JSON; -: standard input")->required();
    add_processor_options(checks, *options);
}

}  // namespace hyperstep::cli
