#pragma once
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "vmx/rules/boundary.hpp"

namespace hyperstep::vmx {

using Changes = std::vector<Change>;

/// Two neighbouring values of a slot: one that a rule refuses, one that it allows.
struct Edge {
    std::uint64_t broken;
    std::uint64_t twin;
};

/// Where canonical addresses end, on a processor with 57 linear-address bits and on one with 48. All are
/// page-aligned.
inline constexpr Edge canonical_57_edges[] = {{0x0100'0000'0000'0000, 0x00ff'ffff'ffff'f000},
                                              {0xfeff'ffff'ffff'f000, 0xff00'0000'0000'0000}};
inline constexpr Edge canonical_48_edges[] = {{0x0000'8000'0000'0000, 0x0000'7fff'ffff'f000},
                                              {0xffff'7fff'ffff'f000, 0xffff'8000'0000'0000}};

/// Collects boundaries that start from one state.
class Edges {
public:
    Edges(std::vector<Boundary>& to, BaseState base) : to_{to}, base_{base} {}

    /// A boundary for each edge of a slot, after `setting` on both sides.
    void at(std::string_view id, const Changes& setting, Slot slot, std::initializer_list<Edge> edges) const;
    /// The edges of canonical addresses at both widths.
    void canonical(std::string_view id, const Changes& setting, Slot slot) const;
    /// The rule applies only with `gate`: what breaks it with the gate enters without it.
    void only_with(std::string_view id, const Change& gate, const Changes& bad) const;

private:
    void add(std::string_view id, const Changes& setting, Slot slot, const Edge& edge) const;

    std::vector<Boundary>& to_;
    BaseState base_;
};

}  // namespace hyperstep::vmx
