#include "explain/json_text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace hyperstep::explain {
namespace {

using nlohmann::json;

constexpr int max_depth = 16;

/// Brackets are nested at most max_depth deep, outside of strings.
bool shallow(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        if (depth > max_depth) return false;
    }
    return true;
}

std::size_t column_at(std::string_view text, std::size_t offset) {
    const std::size_t at = std::min(offset, text.size());
    const std::size_t end_before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
    return end_before == std::string_view::npos ? at + 1 : at - end_before;
}

/// The first key that an object has twice; empty if none has. Throws json::exception if the text is no JSON.
std::string key_given_twice(std::string_view text) {
    std::vector<std::set<std::string>> open;
    std::string twice;
    const auto take = [&](int, json::parse_event_t event, json& value) {
        if (event == json::parse_event_t::object_start) open.emplace_back();
        if (event == json::parse_event_t::object_end) open.pop_back();
        if (event == json::parse_event_t::key) {
            const std::string key = value.get<std::string>();
            if (!open.back().insert(key).second && twice.empty()) twice = key;
        }
        return true;
    };
    [[maybe_unused]] const json parsed = json::parse(text, take);
    return twice;
}

/// The line of the second of two keys, 0 if the text has the word more often.
std::size_t line_of_second(std::string_view text, const std::string& key) {
    const std::string quoted = '"' + key + '"';
    const std::size_t second = text.find(quoted, text.find(quoted) + 1);
    if (second == std::string_view::npos || text.find(quoted, second + 1) != std::string_view::npos) return 0;
    return line_at(text, second);
}

}  // namespace

std::size_t line_at(std::string_view text, std::size_t offset) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
    return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
}

std::optional<TextError> problem_in_json(std::string_view text) {
    if (!shallow(text)) return TextError{0, "objects and lists are nested deeper than a state has them"};
    try {
        const std::string twice = key_given_twice(text);
        if (twice.empty()) return std::nullopt;
        return TextError{line_of_second(text, twice),
                         '"' + twice + "\" is given twice in an object: give it once"};
    } catch (const json::parse_error& error) {
        const std::size_t at = error.byte > 0 ? error.byte - 1 : 0;
        return TextError{line_at(text, at),
                         "this is not JSON from column " + std::to_string(column_at(text, at)) +
                             " on: a comma, quote or bracket is missing or too many"};
    } catch (const json::exception&) {
        return TextError{0, "this JSON cannot be used: a string may not be UTF-8"};
    }
}

}  // namespace hyperstep::explain
