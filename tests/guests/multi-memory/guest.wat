;; A module of the fast lane with eight memories: see src/main.rs.
;;
;; Memory 0 holds what the canonical ABI passes; memories 1 to 7 are grown and never written. `handle`
;; takes the fifteen words of a flattened request and returns the address of a response:
;; u16 status, headers (address, length), body (address, length).
(module
  (memory $main (export "memory") 2)
  (memory $m1 1)
  (memory $m2 1)
  (memory $m3 1)
  (memory $m4 1)
  (memory $m5 1)
  (memory $m6 1)
  (memory $m7 1)

  ;; What follows the response area and the digits.
  (global $free (mut i32) (i32.const 1024))

  ;; Bump allocation: an instance serves one request. Traps where the request is larger than memory.
  (func (export "cabi_realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32)
      (result i32)
    (local $at i32)
    (local.set $at
      (i32.and
        (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $free) (i32.shl (memory.size $main) (i32.const 16)))
      (then (unreachable)))
    (local.get $at))

  (func $grow1 (result i32)
    (block $refused
      (loop $more
        (br_if $refused (i32.eq (memory.grow $m1 (i32.const 16)) (i32.const -1)))
        (br $more)))
    (memory.size $m1))
  (func $grow2 (result i32)
    (block $refused
      (loop $more
        (br_if $refused (i32.eq (memory.grow $m2 (i32.const 16)) (i32.const -1)))
        (br $more)))
    (memory.size $m2))
  (func $grow3 (result i32)
    (block $refused
      (loop $more
        (br_if $refused (i32.eq (memory.grow $m3 (i32.const 16)) (i32.const -1)))
        (br $more)))
    (memory.size $m3))
  (func $grow4 (result i32)
    (block $refused
      (loop $more
        (br_if $refused (i32.eq (memory.grow $m4 (i32.const 16)) (i32.const -1)))
        (br $more)))
    (memory.size $m4))
  (func $grow5 (result i32)
    (block $refused
      (loop $more
        (br_if $refused (i32.eq (memory.grow $m5 (i32.const 16)) (i32.const -1)))
        (br $more)))
    (memory.size $m5))
  (func $grow6 (result i32)
    (block $refused
      (loop $more
        (br_if $refused (i32.eq (memory.grow $m6 (i32.const 16)) (i32.const -1)))
        (br $more)))
    (memory.size $m6))
  (func $grow7 (result i32)
    (block $refused
      (loop $more
        (br_if $refused (i32.eq (memory.grow $m7 (i32.const 16)) (i32.const -1)))
        (br $more)))
    (memory.size $m7))

  ;; Writes the digits of $number so that they end before address 64; gives where they begin.
  (func $digits (param $number i32) (result i32)
    (local $at i32)
    (local.set $at (i32.const 64))
    (loop $next
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 $main (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $next (local.get $number)))
    (local.get $at))

  (func (export "rowhouse:site/handler@0.1.0#handle")
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (local $pages i32)
    (local $at i32)
    (local.set $pages (i32.add (local.get $pages) (call $grow1)))
    (local.set $pages (i32.add (local.get $pages) (call $grow2)))
    (local.set $pages (i32.add (local.get $pages) (call $grow3)))
    (local.set $pages (i32.add (local.get $pages) (call $grow4)))
    (local.set $pages (i32.add (local.get $pages) (call $grow5)))
    (local.set $pages (i32.add (local.get $pages) (call $grow6)))
    (local.set $pages (i32.add (local.get $pages) (call $grow7)))
    (local.set $at (call $digits (local.get $pages)))
    (i32.store16 $main (i32.const 128) (i32.const 200))
    (i32.store $main (i32.const 132) (i32.const 4))
    (i32.store $main (i32.const 136) (i32.const 0))
    (i32.store $main (i32.const 140) (local.get $at))
    (i32.store $main (i32.const 144) (i32.sub (i32.const 64) (local.get $at)))
    (i32.const 128)))
