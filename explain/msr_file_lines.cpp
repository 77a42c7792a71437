#include <algorithm>
#include <fmt/format.h>

#include "explain/msr_collector.hpp"

// Lists of MSRs as lines.
namespace hyperstep::explain {
namespace {

using vmx::Slot;
using Outcome = tl::expected<void, TextError>;

constexpr std::size_t max_quoted = 40;

std::vector<std::string_view> words_of(std::string_view line) {
    constexpr std::string_view separators = " \t\r:=,;[]()\"'|";
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t begin = line.find_first_not_of(separators);
        if (begin == std::string_view::npos) return words;
        line.remove_prefix(begin);
        const std::size_t end = std::min(line.find_first_of(separators), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
}

TextError refusal(std::size_t line, std::string_view what) {
    return {line, std::string{what}};
}

class LineReader {
public:
    Outcome read(std::string_view line, std::size_t number);
    MsrCollector collector;

private:
    Outcome command(std::span<const std::string_view> arguments, std::size_t number);
    Outcome address_sizes(std::span<const std::string_view> words, std::size_t number);
    Outcome named_fact(std::string_view line, Slot fact, std::size_t number);
    Outcome values(const MsrKey& key,
                   std::string_view written,
                   std::span<const std::string_view> words,
                   std::size_t number);

    std::optional<MsrKey> pending_;  ///< the MSR that following bare values belong to
    std::string pending_name_;
};

/// The capability other than an MSR whose name a line begins with: names may have spaces.
std::optional<Slot> fact_at_start(std::string_view line) {
    const auto is_same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    for (const Slot s : vmx::slots_of(vmx::SlotKind::capability)) {
        const std::string_view name = vmx::info(s).name;
        if (vmx::info(s).number != 0 || line.size() < name.size()) continue;
        if (!std::equal(name.begin(), name.end(), line.begin(), is_same)) continue;
        const std::string_view rest = line.substr(name.size());
        if (rest.empty() || std::string_view{" \t:=\"'"}.find(rest.front()) != std::string_view::npos)
            return s;
    }
    return std::nullopt;
}

/// "rdmsr [options] REGISTER": the values in the lines below belong to that register.
Outcome LineReader::command(std::span<const std::string_view> arguments, std::size_t number) {
    for (const std::string_view argument : arguments) {
        if (argument == "-d" || argument == "-u" || argument == "-o" || argument == "--decimal" ||
            argument == "--unsigned" || argument == "--octal" || argument == "-f" ||
            argument.starts_with("--bitfield"))
            return tl::unexpected{
                refusal(number,
                        fmt::format("rdmsr {} does not print the whole value in hexadecimal; "
                                    "print it without that option",
                                    argument.substr(0, max_quoted)))};
    }
    if (arguments.empty()) {
        pending_.reset();
        return {};
    }
    const std::string_view msr = arguments.back();
    pending_ = msr_key(msr);
    pending_name_ = std::string{msr.substr(0, max_quoted)};
    if (!pending_)
        return tl::unexpected{refusal(
            number, fmt::format("\"{}\" is not an MSR; write its number, such as 0x480", pending_name_))};
    return {};
}

/// "address sizes : 39 bits physical, 48 bits virtual"
Outcome LineReader::address_sizes(std::span<const std::string_view> words, std::size_t number) {
    for (std::size_t i = 0; i + 2 < words.size(); ++i) {
        if (words[i + 1] != "bits") continue;
        const bool physical = words[i + 2] == "physical";
        if (!physical && words[i + 2] != "virtual") continue;
        const MsrKey key{MsrKey::Kind::capability, physical ? Slot::maxphyaddr : Slot::linear_width};
        const auto value = msr_value(words[i], key);
        if (!value) return tl::unexpected{refusal(number, "the address sizes are not numbers")};
        if (auto added = collector.add(key, "address sizes", *value, number); !added) return added;
    }
    return {};
}

Outcome LineReader::named_fact(std::string_view line, Slot fact, std::size_t number) {
    const std::string_view name = vmx::info(fact).name;
    const MsrKey key{MsrKey::Kind::capability, fact};
    return values(key, name, words_of(line.substr(name.size())), number);
}

Outcome LineReader::values(const MsrKey& key,
                           std::string_view written,
                           std::span<const std::string_view> words,
                           std::size_t number) {
    for (const std::string_view word : words) {
        const auto value = msr_value(word, key);
        if (!value)
            return tl::unexpected{refusal(
                number,
                fmt::format("\"{}\" is not a value of {}: expected one number of up to 64 bits, such as 0x{}",
                            word.substr(0, max_quoted),
                            written.substr(0, max_quoted),
                            "5fbcff00000000"))};
        if (auto added = collector.add(key, written, *value, number); !added) return added;
    }
    return {};
}

Outcome LineReader::read(std::string_view line, std::size_t number) {
    const std::vector<std::string_view> words = words_of(line);
    if (words.empty()) return {};
    const auto rdmsr = std::find_if(words.begin(), words.end(), [](std::string_view w) {
        return w == "rdmsr" || w.ends_with("/rdmsr") || w.ends_with("#rdmsr") || w.ends_with("$rdmsr");
    });
    if (rdmsr != words.end()) return command({rdmsr + 1, words.end()}, number);
    if (words.front().starts_with('#') || words.front().starts_with("//")) return {};
    if (line.find("bits physical") != std::string_view::npos) return address_sizes(words, number);

    const std::size_t indent = line.find_first_not_of(" \t\"'");
    if (const auto fact = fact_at_start(line.substr(indent)))
        return named_fact(line.substr(indent), *fact, number);

    std::span<const std::string_view> rest{words};
    if (rest.size() > 1 && (rest.front() == "msr" || rest.front() == "MSR")) rest = rest.subspan(1);
    if (pending_ && rest.size() == 1 && msr_value(rest.front(), *pending_))
        return values(*pending_, pending_name_, rest, number);
    const auto key = msr_key(rest.front());
    if (!key)
        return tl::unexpected{
            refusal(number,
                    fmt::format("\"{}\" is neither an MSR nor a capability; write a line such as "
                                "\"0x48b: 0x5fbcff00000000\" or \"MAXPHYADDR: 39\"",
                                rest.front().substr(0, max_quoted)))};
    if (rest.size() > 1) {
        pending_.reset();
        return values(*key, rest.front(), rest.subspan(1), number);
    }
    pending_ = key;
    pending_name_ = std::string{rest.front().substr(0, max_quoted)};
    if (key->kind == MsrKey::Kind::other_msr)
        return tl::unexpected{refusal(number,
                                      fmt::format("{} stands alone: a value needs its MSR before it, as in "
                                                  "\"0x480: {}\", or \"# rdmsr 0x480\" in a line above",
                                                  pending_name_,
                                                  pending_name_))};
    return {};
}

}  // namespace

tl::expected<MsrFile, TextError> read_msr_lines(std::string_view text) {
    LineReader reader;
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (auto read = reader.read(text.substr(0, end), number); !read) return tl::unexpected{read.error()};
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return std::move(reader.collector).finish();
}

}  // namespace hyperstep::explain
