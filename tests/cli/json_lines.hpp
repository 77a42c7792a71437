#pragma once
#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

// What the tests of formats ask of JSON. Templates, so that the library's header stays in .cpp files.
namespace hyperstep::cli {

using Keys = std::vector<std::string>;

/// One object a line.
template <class Json>
std::vector<Json> lines_of(const std::string& text) {
    std::vector<Json> objects;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) objects.push_back(Json::parse(line));
    return objects;
}

/// "0x" and lower-case digits.
template <class Json>
bool is_hex(const Json& value) {
    if (!value.is_string()) return false;
    const auto text = value.template get<std::string>();
    return text.size() > 2 && text.starts_with("0x") &&
           text.find_first_not_of("0123456789abcdef", 2) == std::string::npos;
}

template <class Json>
bool has_keys(const Json& object, const Keys& keys) {
    return std::all_of(
        keys.begin(), keys.end(), [&](const std::string& key) { return object.contains(key); });
}

}  // namespace hyperstep::cli
