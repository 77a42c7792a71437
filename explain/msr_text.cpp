#include "explain/msr_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "vmx/rules/slots.hpp"

namespace hyperstep::explain {
namespace {

using vmx::Capabilities;
using vmx::Slot;

constexpr std::string_view blanks = " \t\r:=,";

/// Takes the next word off a line; empty at its end.
std::string_view next_word(std::string_view& line) {
    const std::size_t start = line.find_first_not_of(blanks);
    if (start == std::string_view::npos) {
        line = {};
        return {};
    }
    const std::size_t end = std::min(line.find_first_of(blanks, start), line.size());
    const std::string_view word = line.substr(start, end - start);
    line.remove_prefix(end);
    return word;
}

std::optional<std::uint64_t> hexadecimal(std::string_view word) {
    if (word.starts_with("0x") || word.starts_with("0X")) word.remove_prefix(2);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number, 16);
    if (word.empty() || error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return number;
}

class Lines {
public:
    explicit Lines(const Capabilities& base) : result_{base} {}

    void read(std::string_view line, std::size_t number) {
        number_ = number;
        const bool command = line.find("rdmsr") != std::string_view::npos;
        std::string_view rest = line;
        const std::string_view first = next_word(rest);
        if (command) return read_command(line);
        if (first.empty() || first.starts_with('#')) return;
        const std::string_view second = next_word(rest);
        if (second.empty() && typed_) return keep(*typed_, first);
        if (const auto slot = vmx::slot_named(first);
            slot && vmx::info(*slot).kind == vmx::SlotKind::capability)
            return keep(*slot, second);
        const auto index = hexadecimal(first);
        if (!index || *index > 0xffff'ffff || second.empty())
            return fail("a line has to be an MSR and its value, as \"0x480: 0xda040000000004\"");
        typed_.reset();
        if (const auto slot = vmx::capability_slot(static_cast<std::uint32_t>(*index))) keep(*slot, second);
    }

    tl::expected<Capabilities, TextError> finish() const {
        if (error_) return tl::unexpected(*error_);
        if (found_ == 0)
            return tl::unexpected(TextError{0,
                                            "there is no VMX capability MSR (0x480 to 0x493) in it: give "
                                            "lines as \"0x480: 0xda040000000004\""});
        return result_;
    }

private:
    /// The index is the last number of the command line: "# rdmsr -a 0x480", "$ sudo rdmsr -p 0 0x480".
    void read_command(std::string_view line) {
        typed_.reset();
        for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
            const auto index = hexadecimal(word);
            if (index && word.size() >= 3) typed_ = vmx::capability_slot(static_cast<std::uint32_t>(*index));
        }
    }

    void keep(Slot slot, std::string_view word) {
        const auto value = hexadecimal(word);
        if (!value)
            return fail("the value \"" + std::string{word.substr(0, 40)} +
                        "\" has to be a hexadecimal number");
        const std::uint64_t bit = std::uint64_t{1} << (vmx::position(slot) % 64);
        std::uint64_t& seen = seen_.at(vmx::position(slot) / 64);
        if ((seen & bit) != 0 && result_[slot].value != *value)
            return fail(std::string{vmx::info(slot).name} +
                        " is given twice with different values: the processors differ; give one");
        seen |= bit;
        result_.set(slot, *value);
        ++found_;
    }

    void fail(std::string what) {
        if (!error_) error_ = TextError{number_, std::move(what)};
    }

    Capabilities result_;
    std::optional<Slot> typed_;
    std::array<std::uint64_t, vmx::slot_count / 64 + 1> seen_{};
    std::size_t number_ = 0;
    std::size_t found_ = 0;
    std::optional<TextError> error_;
};

tl::expected<Capabilities, TextError> read_json(std::string_view text, const Capabilities& base) {
    const bool whole_state = text.find("\"cpu\"") != std::string_view::npos;
    const std::string object = whole_state ? std::string{text} : "{\"cpu\":" + std::string{text} + "}";
    const auto read = read_state(object);
    if (!read) return tl::unexpected(read.error());
    const Capabilities unknown;
    Capabilities result = base;
    for (const Slot s : vmx::slots_of(vmx::SlotKind::capability)) {
        const vmx::PartialWord word = read->state[s];
        if (word.value != unknown[s].value || word.known != unknown[s].known) result.set(s, word);
    }
    return result;
}

}  // namespace

tl::expected<Capabilities, TextError> read_msrs(std::string_view text, const Capabilities& base) {
    const std::size_t start = text.find_first_not_of(" \t\r\n");
    if (start != std::string_view::npos && text[start] == '{') return read_json(text, base);
    Lines lines{base};
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = text.find('\n');
        lines.read(text.substr(0, end), number);
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return lines.finish();
}

}  // namespace hyperstep::explain
