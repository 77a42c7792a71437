#include "explain/state_dump.hpp"

#include <nlohmann/json.hpp>

#include "explain/state_json.hpp"
#include "vmx/rules/registers.hpp"

namespace hyperstep::explain {
namespace {

constexpr std::size_t longest_object = std::size_t{4} * 1024 * 1024;
constexpr int deepest_object = 16;
constexpr std::string_view schema = "hyperstep/state/1";

bool begins_object(std::string_view text) {
    if (!text.starts_with('{')) return false;
    text = trim(text.substr(1));
    return text.empty() || text.starts_with('"');
}

/// The state object in `text`: itself, or its member "state".
std::string state_in(const std::string& text) {
    const nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
    if (!object.is_object()) return {};
    const auto own = object.find("schema");
    if (own != object.end() && own->is_string() && own->get_ref<const std::string&>() == schema) return text;
    const auto inner = object.find("state");
    if (inner == object.end() || !inner->is_object()) return {};
    const auto inner_schema = inner->find("schema");
    const bool ours = inner_schema != inner->end() && inner_schema->is_string() &&
                      inner_schema->get_ref<const std::string&>() == schema;
    return ours ? inner->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) : std::string{};
}

/// In a complete state fields that were never written are 0. No exit has reason 0 without an exception or NMI
/// in the interruption information, so such zeros report nothing.
void forget_report_of_zeros(Dump& dump) {
    constexpr std::uint64_t valid = decltype(vmx::InterruptionInfo::valid)::mask;
    const bool event = (dump.state[vmx::Slot::exit_intr_info].value & valid) != 0;
    if (dump.reported.reason.value_or(0) != 0 || event) return;
    dump.reported.reason.reset();
    dump.reported.qualification.reset();
}

}  // namespace

void StateObjects::append(std::string_view text) {
    for (const char c : text) {
        if (in_string_) {
            in_string_ = escaped_ || c != '"';
            escaped_ = !escaped_ && c == '\\';
        } else if (c == '"') {
            in_string_ = true;
        } else if (c == '{' || c == '[') {
            ++depth_;
        } else if (c == '}' || c == ']') {
            --depth_;
        }
        if (depth_ > deepest_object) break;
    }
    text_ += text;
    text_ += '\n';
}

bool StateObjects::take(const TextLine& line, std::string_view stripped) {
    if (text_.empty()) {
        const bool bare = begins_object(trim(line.text));
        if (!bare && !begins_object(stripped)) return false;
        prefixed_ = !bare;
        first_ = line.number;
        depth_ = 0;
        in_string_ = escaped_ = false;
    }
    last_ = line.number;
    append(prefixed_ ? stripped : std::string_view{line.text});
    if (depth_ <= 0) complete();
    if (depth_ > deepest_object || text_.size() > longest_object) text_.clear();
    return true;
}

void StateObjects::complete() {
    const std::string text = std::move(text_);
    text_.clear();
    if (!contains(text, schema)) return;
    const std::string state = state_in(text);
    if (state.empty()) return;
    Dump dump;
    dump.format = Format::hyperstep;
    dump.line_first = first_;
    dump.line_last = last_;
    if (auto named = read_state(state)) {
        dump.state = std::move(named->state);
        dump.cpu = std::move(named->cpu);
    } else {
        dump.unreadable = "the state cannot be read: " + named.error().what;
        dump.remarks.push_back(dump.unreadable);
    }
    report_from_fields(dump);
    forget_report_of_zeros(dump);
    store_.add(std::move(dump));
}

}  // namespace hyperstep::explain
