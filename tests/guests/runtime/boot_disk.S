/* The master boot record of a disk that tests/guests/compare.py makes of a multiboot image, for emulators that boot
   by a BIOS only. Sector 1 holds the plan: three 32-bit words (destination, first sector, sectors) a piece; 0 sectors
   end it. compare.py writes the entry point and the address of the information block into this sector. Pieces are read
   by INT 13h AH=42h and copied up by INT 15h AH=87h; then the image is entered as the multiboot contract says. */
#define PLAN 0x7e00
#define BUFFER 0x10000
#define CHUNK 32 /* sectors a read */

    .code16
    .text
    .globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    sti
    movb %dl, drive
    movl $1, packet_sector
    movw $1, packet_count
    movl $PLAN, packet_buffer /* 0000:7e00 */
    call read_sectors
    movl $(BUFFER << 12), packet_buffer /* 1000:0000 */
    movw $PLAN, %bp

segment:
    movl 8(%bp), %ecx
    testl %ecx, %ecx
    jz enter_or_next
    cmpl $CHUNK, %ecx
    jbe 1f
    movl $CHUNK, %ecx
1:  movw %cx, packet_count
    movl 4(%bp), %eax
    movl %eax, packet_sector
    addl %ecx, 4(%bp)
    subl %ecx, 8(%bp)
    call read_sectors
    movl 0(%bp), %eax
    movw %ax, copy_to + 2
    shrl $16, %eax
    movb %al, copy_to + 4
    movb %ah, copy_to + 7
    movzwl packet_count, %ecx
    shll $8, %ecx /* words */
    movl %ecx, %eax
    addl %eax, %eax
    addl %eax, 0(%bp)
    movw $copy_table, %si
    movb $0x87, %ah
    pushw %bp
    int $0x15
    popw %bp
    jc stuck
    jmp segment

read_sectors:
    movb $0x42, %ah
    movb drive, %dl
    movw $packet, %si
    pushw %bp
    int $0x13
    popw %bp
    jc stuck
    ret

stuck:
    hlt
    jmp stuck

/* A piece is through; the next follows, or the plan's end. */
enter_or_next:
    addw $12, %bp
    cmpl $0, 8(%bp)
    jne segment

    cli
    inb $0x92, %al
    orb $2, %al /* A20 */
    andb $0xfe, %al
    outb %al, $0x92
    lgdt table_pointer
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmp $0x08, $1f
    .code32
1:  movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    movl $0x2badb002, %eax
    movl information, %ebx
    jmp *entry

    .balign 8
packet:
    .byte 16, 0
packet_count:
    .word 0
packet_buffer:
    .long 0
packet_sector:
    .quad 0
copy_table: /* INT 15h AH=87h: null, table, source, destination, BIOS code, BIOS stack */
    .quad 0, 0
    .quad 0x000093000000ffff | (BUFFER << 16)
copy_to:
    .quad 0x000093000000ffff
    .quad 0, 0
table:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
table_pointer:
    .word 23
    .long table
drive:
    .byte 0
    .org 0x1b0
entry:
    .long 0
information:
    .long 0
    .org 0x1fe
    .word 0xaa55
