#include "vmx/rules/boundaries/edges.hpp"

namespace hyperstep::vmx {

namespace {

/// Both lists of changes, one after the other.
Changes operator+(Changes first, const Changes& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

}  // namespace

void Edges::add(std::string_view id, const Changes& setting, Slot slot, const Edge& edge) const {
    to_.push_back({id,
                   base_,
                   setting + Changes{assign(slot, edge.broken)},
                   setting + Changes{assign(slot, edge.twin)},
                   {}});
}

void Edges::at(std::string_view id,
               const Changes& setting,
               Slot slot,
               std::initializer_list<Edge> edges) const {
    for (const Edge& edge : edges) add(id, setting, slot, edge);
}

void Edges::canonical(std::string_view id, const Changes& setting, Slot slot) const {
    for (const Edge& edge : canonical_57_edges) add(id, setting, slot, edge);
    for (const Edge& edge : canonical_48_edges)
        add(id, setting + Changes{assign(Slot::linear_width, 48)}, slot, edge);
}

void Edges::only_with(std::string_view id, const Change& gate, const Changes& bad) const {
    to_.push_back({id, base_, bad + Changes{gate}, bad, {}});
}

}  // namespace hyperstep::vmx
