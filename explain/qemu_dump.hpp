#pragma once
#include <optional>

#include "explain/guest_view.hpp"

namespace hyperstep::explain {

/// QEMU's register dump, for 32- and 64-bit code, and its message "KVM: entry failed, hardware error 0x...".
class QemuDumps : public Collector {
public:
    explicit QemuDumps(DumpStore& store) : store_{store} {}
    bool take(const Record& record) override;
    void finish() override;

private:
    bool take_message(std::string_view text, const Record& record);
    bool take_registers(std::string_view text, const Record& record);
    bool take_segment(std::string_view text);
    bool take_pairs(std::string_view text);
    void open(const Record& record);

    DumpStore& store_;
    std::optional<Draft> draft_;
    GuestView view_;
    bool registers_ = false;  // the first register line has been seen
};

}  // namespace hyperstep::explain
