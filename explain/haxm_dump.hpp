#pragma once
#include <optional>

#include "explain/draft.hpp"

namespace hyperstep::explain {

/// HAXM's dump: "4000 VMX_PIN_CONTROLS: 1f", a field's encoding and value a line.
class HaxmDumps : public Collector {
public:
    explicit HaxmDumps(DumpStore& store) : store_{store} {}
    bool take(const Record& record) override;
    void finish() override;

private:
    DumpStore& store_;
    std::optional<Draft> draft_;
    std::size_t fields_ = 0;
};

}  // namespace hyperstep::explain
