#include "explain/nearest_name.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace hyperstep::explain {
namespace {

constexpr std::size_t longest_compared = 64;
constexpr std::size_t most_suggested = 3;

std::string lower(std::string_view text) {
    std::string result{text.substr(0, longest_compared)};
    for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

/// Levenshtein's distance, a row of the table at a time.
std::size_t distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::vector<std::string> nearest_names(std::string_view typed, std::span<const std::string> names) {
    struct Candidate {
        std::size_t distance;
        const std::string* name;
    };
    const std::string wanted = lower(typed);
    if (wanted.empty()) return {};
    std::vector<Candidate> near;
    for (const std::string& name : names) {
        const std::string own = lower(name);
        const bool contains = wanted.size() >= 3 && own.find(wanted) != std::string::npos;
        const std::size_t limit = std::max<std::size_t>(2, wanted.size() / 3);
        const std::size_t d = wanted == own ? 0 : contains ? 1 : distance(wanted, own);
        if (d <= limit) near.push_back({d, &name});
    }
    std::stable_sort(near.begin(), near.end(), [](const Candidate& a, const Candidate& b) {
        return a.distance < b.distance;
    });
    near.resize(std::min(near.size(), most_suggested));
    std::vector<std::string> result;
    for (const Candidate& c : near) result.push_back(*c.name);
    return result;
}

std::string did_you_mean(std::string_view typed, std::span<const std::string> names) {
    const std::vector<std::string> near = nearest_names(typed, names);
    if (near.empty()) return {};
    std::string text = "; did you mean " + near.front();
    for (std::size_t i = 1; i < near.size(); ++i) text += (i + 1 == near.size() ? " or " : ", ") + near[i];
    return text + "?";
}

}  // namespace hyperstep::explain
