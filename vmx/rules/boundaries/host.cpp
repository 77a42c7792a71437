#include "vmx/rules/boundaries/edges.hpp"

// The processor `all`: 46 physical-address bits, 57 linear-address bits, LAM.
namespace hyperstep::vmx {
namespace {

using enum Slot;
using enum BaseState;

void control_registers(std::vector<Boundary>& to) {
    const Edges host{to, long_mode};
    // PE, NE and PG.
    host.at("host.cr0.fixed0",
            {},
            host_cr0,
            {{0x8005'0032, 0x8005'0033}, {0x8005'0013, 0x8005'0033}, {0x0005'0033, 0x8005'0033}});
    // NW and CD are not checked, even by a processor that says that they must be 1, or 0.
    host.at("host.cr0.fixed0", {assign(cr0_fixed0, 0xe000'0021)}, host_cr0, {{0x8005'0013, 0x8005'0033}});
    host.at("host.cr0.fixed1",
            {},
            host_cr0,
            {{0x1'8005'0033, 0x8005'0033}, {0x8000'0000'8005'0033, 0x8005'0033}});
    host.at("host.cr0.fixed1", {assign(cr0_fixed1, 0x9fff'ffff)}, host_cr0, {{0x1'e005'0033, 0xe005'0033}});
    // A processor without AM; the guest does not use it either.
    Edges{to, protected_32}.at(
        "host.cr0.fixed1", {assign(cr0_fixed1, 0xfffb'ffff)}, host_cr0, {{0x8005'0033, 0x8001'0033}});
    host.at("host.cr4.fixed0", {}, host_cr4, {{0x20, 0x2020}});
    // PSE must be 1, on a processor that says so; bit 4.
    host.at("host.cr4.fixed0",
            {assign(cr4_fixed0, 0x2010), assign(guest_cr4, 0x2030)},
            host_cr4,
            {{0x2020, 0x2030}, {0x30, 0x2030}});
    host.at("host.cr4.fixed1", {}, host_cr4, {{0xa020, 0x6020}, {0x2'0000'2020, 0x1'0000'2020}});
    // A processor without LA57.
    host.at("host.cr4.fixed1", {assign(cr4_fixed1, 0x1'1bff'6fff)}, host_cr4, {{0x3020, 0x2020}});
    host.at("host.cr4.cet_needs_wp", {assign(host_cr4, 0x80'2020)}, host_cr0, {{0x8004'0033, 0x8005'0033}});
    host.at("host.cr4.cet_needs_wp", {assign(host_cr0, 0x8004'0033)}, host_cr4, {{0x80'2020, 0x2020}});
    host.at("host.cr3.width",
            {},
            host_cr3,
            {{0x4000'0000'1000, 0x6000'3fff'ffff'f000},
             {0x0010'0000'0000'1000, 0x1000},
             {0x8000'0000'0000'1000, 0x4000'0000'0000'1000},
             {0x1000'0000'0000'1000, 0x2000'0000'0000'1000}});
    host.at("host.cr3.width", {assign(maxphyaddr, 39)}, host_cr3, {{0x80'0000'0000, 0x40'0000'0000}});
    host.at("host.cr3.width",
            {assign(lam, 0)},
            host_cr3,
            {{0x2000'0000'0000'1000, 0x1000}, {0x4000'0000'0000'1000, 0x3fff'ffff'f000}});
    host.canonical("host.sysenter_esp.canonical", {}, host_sysenter_esp);
    host.canonical("host.sysenter_eip.canonical", {}, host_sysenter_eip);
    host.canonical("host.intr_ssp_table.canonical", {turn_on(exit::load_cet)}, host_intr_ssp_table);
    host.only_with("host.intr_ssp_table.canonical",
                   turn_on(exit::load_cet),
                   {assign(host_intr_ssp_table, 0x0100'0000'0000'0000)});
}

void msrs(std::vector<Boundary>& to) {
    const Edges host{to, long_mode};
    // Eight programmable counters, four fixed ones, and performance metrics (48).
    const Change perf = turn_on(exit::load_perf_global_ctrl);
    host.at("host.perf_global_ctrl.reserved",
            {perf},
            host_perf_global_ctrl,
            {{0x100, 0x80}, {0x10'0000'0000, 0x8'0000'0000}, {0x2'0000'0000'0000, 0x1'0000'0000'0000}});
    host.only_with("host.perf_global_ctrl.reserved", perf, {assign(host_perf_global_ctrl, 0x100)});
    const Change pat = turn_on(exit::load_pat);
    host.at("host.pat.types",
            {pat},
            host_pat,
            {{0x0007'0406'0007'0402, 0x0007'0406'0007'0401},
             {0x0007'0406'0007'0403, 0x0007'0406'0007'0404},
             {0x0007'0406'0007'0408, 0x0007'0406'0007'0407},
             {0x0007'0406'0007'0205, 0x0007'0406'0007'0105},
             {0x0007'0406'0302'0405, 0x0007'0406'0401'0405},
             {0x0007'0486'0007'0405, 0x0007'0406'0007'0405},
             {0x0006'0510'0007'0405, 0x0006'0500'0007'0405},
             {0x0207'0406'0007'0405, 0x0107'0406'0007'0405}});
    host.only_with("host.pat.types", pat, {assign(host_pat, 0x2)});
    const Change efer = turn_on(exit::load_efer);
    host.at("host.efer.reserved",
            {efer},
            host_efer,
            {{0xd03, 0xd01}, {0xf01, 0xd01}, {0x1d01, 0x501}, {0x8000'0000'0000'0d01, 0xd00}});
    host.only_with("host.efer.reserved", efer, {assign(host_efer, 0xd03)});
    host.at("host.efer.lma", {efer}, host_efer, {{0x901, 0xd01}});
    host.only_with("host.efer.lma", efer, {assign(host_efer, 0x901)});
    host.at("host.efer.lme", {efer}, host_efer, {{0xc01, 0xd01}});
    host.only_with("host.efer.lme", efer, {assign(host_efer, 0xc01)});
    const Edges narrow{to, host_32};
    narrow.at("host.efer.lma", {efer}, host_efer, {{0x400, 0}});
    narrow.at("host.efer.lme", {efer}, host_efer, {{0x100, 0}});
    const Change pkrs = turn_on(exit::load_pkrs);
    host.at("host.pkrs.high",
            {pkrs},
            host_pkrs,
            {{0x1'0000'0000, 0x8000'0000}, {0x8000'0000'0000'0000, 0xffff'ffff}});
    host.only_with("host.pkrs.high", pkrs, {assign(host_pkrs, 0x1'0000'0000)});
}

void cet(std::vector<Boundary>& to) {
    const Edges host{to, long_mode};
    const Change load = turn_on(exit::load_cet);
    host.at("host.s_cet.reserved",
            {load},
            host_s_cet,
            {{0x40, 0x20}, {0x80, 0x20}, {0x100, 0x400}, {0x200, 0x400}});
    host.only_with("host.s_cet.reserved", load, {assign(host_s_cet, 0x40)});
    host.at(
        "host.s_cet.suppress_tracker", {load}, host_s_cet, {{0xc00, 0x400}, {0xc3f, 0x83f}, {0xc00, 0x1400}});
    host.only_with("host.s_cet.suppress_tracker", load, {assign(host_s_cet, 0xc00)});
    host.canonical("host.s_cet.canonical", {load}, host_s_cet);
    host.only_with("host.s_cet.canonical", load, {assign(host_s_cet, 0x0100'0000'0000'0000)});
    host.at("host.ssp.low_bits", {load}, host_ssp, {{0x8001, 0x8000}, {0x8002, 0x8004}});
    host.only_with("host.ssp.low_bits", load, {assign(host_ssp, 0x8001)});
    host.canonical("host.ssp.canonical", {load}, host_ssp);
    host.only_with("host.ssp.canonical", load, {assign(host_ssp, 0x0100'0000'0000'0000)});
}

/// Rules behind a secondary VM-exit control: `control` and the word's activation must both be there.
void behind_secondary_controls(std::vector<Boundary>& to,
                               std::string_view id,
                               Control control,
                               const Change& bad) {
    const Edges host{to, long_mode};
    host.only_with(id, turn_on(control), {turn_on(exit::activate_secondary_controls), bad});
    host.only_with(id, turn_on(exit::activate_secondary_controls), {turn_on(control), bad});
}

void fred_and_speculation(std::vector<Boundary>& to) {
    const Edges host{to, long_mode};
    const Changes spec_ctrl{turn_on(exit::activate_secondary_controls), turn_on(exit2::load_host_spec_ctrl)};
    host.at("host.spec_ctrl.reserved", spec_ctrl, host_spec_ctrl, {{0x200, 0x100}, {0x800, 0x400}});
    behind_secondary_controls(
        to, "host.spec_ctrl.reserved", exit2::load_host_spec_ctrl, assign(host_spec_ctrl, 0x200));

    const Changes fred{turn_on(exit::activate_secondary_controls), turn_on(exit2::load_host_fred)};
    host.at("host.fred.config.reserved",
            fred,
            host_fred_config,
            {{0x4, 0x8}, {0x10, 0x8}, {0x20, 0x40}, {0x800, 0x400}, {0x804, 0x1000}});
    behind_secondary_controls(
        to, "host.fred.config.reserved", exit2::load_host_fred, assign(host_fred_config, 0x4));
    host.canonical("host.fred.config.canonical", fred, host_fred_config);
    behind_secondary_controls(to,
                              "host.fred.config.canonical",
                              exit2::load_host_fred,
                              assign(host_fred_config, 0x0100'0000'0000'0000));
    struct Stack {
        std::string_view rsp_id, ssp_id;
        Slot rsp, ssp;
    };
    for (const Stack& s : {Stack{"host.fred.rsp1", "host.fred.ssp1", host_fred_rsp1, host_fred_ssp1},
                           Stack{"host.fred.rsp2", "host.fred.ssp2", host_fred_rsp2, host_fred_ssp2},
                           Stack{"host.fred.rsp3", "host.fred.ssp3", host_fred_rsp3, host_fred_ssp3}}) {
        host.at(s.rsp_id, fred, s.rsp, {{0x8001, 0x8000}, {0x8020, 0x8040}});
        host.canonical(s.rsp_id, fred, s.rsp);
        behind_secondary_controls(to, s.rsp_id, exit2::load_host_fred, assign(s.rsp, 0x8020));
        host.at(s.ssp_id, fred, s.ssp, {{0x8001, 0x8000}, {0x8004, 0x8008}});
        host.canonical(s.ssp_id, fred, s.ssp);
        behind_secondary_controls(to, s.ssp_id, exit2::load_host_fred, assign(s.ssp, 0x8004));
    }
}

void segments(std::vector<Boundary>& to) {
    const Edges host{to, long_mode};
    struct Segment {
        std::string_view id;
        Slot selector;
    };
    for (const Segment& s : {Segment{"host.cs.sel.rpl_ti", host_cs_sel},
                             Segment{"host.ss.sel.rpl_ti", host_ss_sel},
                             Segment{"host.ds.sel.rpl_ti", host_ds_sel},
                             Segment{"host.es.sel.rpl_ti", host_es_sel},
                             Segment{"host.fs.sel.rpl_ti", host_fs_sel},
                             Segment{"host.gs.sel.rpl_ti", host_gs_sel},
                             Segment{"host.tr.sel.rpl_ti", host_tr_sel}})
        host.at(s.id, {}, s.selector, {{0x11, 0x10}, {0x12, 0x10}, {0x14, 0x18}});
    host.at("host.cs.sel.nonnull", {}, host_cs_sel, {{0, 0x8}});
    host.at("host.tr.sel.nonnull", {}, host_tr_sel, {{0, 0x8}});
    Edges{to, host_32}.at("host.ss.sel.nonnull32", {}, host_ss_sel, {{0, 0x8}});
    host.canonical("host.fs.base.canonical", {}, host_fs_base);
    host.canonical("host.gs.base.canonical", {}, host_gs_base);
    host.canonical("host.tr.base.canonical", {}, host_tr_base);
    host.canonical("host.gdtr.base.canonical", {}, host_gdtr_base);
    host.canonical("host.idtr.base.canonical", {}, host_idtr_base);
}

/// Without Intel 64 a field has no bits 63:32; the rules about them do not apply.
void need_intel64(std::vector<Boundary>& to) {
    struct Row {
        std::string_view id;
        Slot slot;
    };
    for (const Row& r : {Row{"host.cr3.width", host_cr3},
                         Row{"host.sysenter_esp.canonical", host_sysenter_esp},
                         Row{"host.sysenter_eip.canonical", host_sysenter_eip},
                         Row{"host.fs.base.canonical", host_fs_base},
                         Row{"host.gs.base.canonical", host_gs_base},
                         Row{"host.tr.base.canonical", host_tr_base},
                         Row{"host.gdtr.base.canonical", host_gdtr_base},
                         Row{"host.idtr.base.canonical", host_idtr_base}})
        Edges{to, host_32}.only_with(
            r.id, assign(intel64, 1), {assign(intel64, 0), assign(r.slot, 0x0100'0000'0000'0000)});
    Edges{to, host_32}.only_with(
        "host.intr_ssp_table.canonical",
        assign(intel64, 1),
        {assign(intel64, 0), turn_on(exit::load_cet), assign(host_intr_ssp_table, 0x0100'0000'0000'0000)});
}

}  // namespace

std::vector<Boundary> host_boundaries() {
    std::vector<Boundary> all;
    control_registers(all);
    msrs(all);
    cet(all);
    fred_and_speculation(all);
    segments(all);
    need_intel64(all);
    return all;
}

}  // namespace hyperstep::vmx
