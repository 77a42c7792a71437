#include "explain/report_sarif.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>

#include "explain/report_words.hpp"

namespace hyperstep::explain {
namespace {

using nlohmann::ordered_json;

/// SARIF wants relative references as URIs: what a URI may not hold is percent-encoded.
std::string as_uri(const std::string& file) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    if (file == "-") return "stdin";
    std::string uri = file.starts_with('/') ? "file://" : "";
    for (const char c : file) {
        if (plain.find(c) != std::string_view::npos)
            uri += c;
        else
            uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return uri;
}

ordered_json location(const std::string& file, const Dump& dump) {
    return {{"physicalLocation",
             {{"artifactLocation", {{"uri", as_uri(file)}}},
              {"region",
               {{"startLine", std::max<std::size_t>(dump.line_first, 1)},
                {"endLine", std::max<std::size_t>(dump.line_last, 1)}}}}}};
}

/// The rules that results name, each once, in the order in which they come up.
class RuleList {
public:
    std::size_t index_of(std::size_t check) {
        const auto [found, fresh] = index_.try_emplace(check, rows_.size());
        if (fresh) {
            const vmx::EntryCheck& row = vmx::all_checks()[check];
            rows_.push_back({{"id", std::string{row.id}},
                             {"shortDescription", {{"text", std::string{row.rule}}}},
                             {"help",
                              {{"text",
                                fmt::format("SDM \"{}\". Outcome when broken: {}.",
                                            vmx::title(row.section),
                                            vmx::to_string(row.outcome))}}}});
        }
        return found->second;
    }
    ordered_json rows() { return std::move(rows_); }

private:
    std::map<std::size_t, std::size_t> index_;
    ordered_json rows_ = ordered_json::array();
};

void add_broken(ordered_json& results, RuleList& rules, const std::string& file, const JudgedDump& judged) {
    for (const BrokenRule& b : judged.verdict.broken) {
        const vmx::EntryCheck& row = vmx::all_checks()[b.check];
        results.push_back({{"ruleId", std::string{row.id}},
                           {"ruleIndex", rules.index_of(b.check)},
                           {"level", "error"},
                           {"message",
                            {{"text",
                              fmt::format("The VM entry breaks this rule: {}. Change: {}.",
                                          row.rule,
                                          fix_in_words(b, judged.state))}}},
                           {"locations", ordered_json::array({location(file, judged.dump)})}});
    }
}

void add_open(ordered_json& results, RuleList& rules, const std::string& file, const JudgedDump& judged) {
    for (const std::size_t check : judged.verdict.suspects) {
        if (judged.verdict.findings[check].standing != vmx::Standing::unknown) continue;
        const vmx::EntryCheck& row = vmx::all_checks()[check];
        results.push_back({{"ruleId", std::string{row.id}},
                           {"ruleIndex", rules.index_of(check)},
                           {"kind", "open"},
                           {"level", "none"},
                           {"message",
                            {{"text",
                              fmt::format("The reported reason and qualification point to this rule, "
                                          "but the dump does not show enough to tell: {}.",
                                          row.rule)}}},
                           {"locations", ordered_json::array({location(file, judged.dump)})}});
    }
}

}  // namespace

std::string report_sarif(std::span<const JudgedFile> files) {
    RuleList rules;
    ordered_json results = ordered_json::array();
    for (const JudgedFile& file : files)
        for (const JudgedDump& judged : file.dumps) {
            add_broken(results, rules, file.file, judged);
            add_open(results, rules, file.file, judged);
        }
    const ordered_json driver = {
        {"name", "Hyperstep"}, {"semanticVersion", HYPERSTEP_VERSION}, {"rules", rules.rows()}};
    const ordered_json log = {
        {"$schema",
         "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"},
        {"version", "2.1.0"},
        {"runs", ordered_json::array({{{"tool", {{"driver", driver}}}, {"results", std::move(results)}}})}};
    return log.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace hyperstep::explain
