
-- limiter/shared_merge.go

function shared.merge(s, m, ask, now)
  m.Uses = ask.Uses
  m.Open = max(0, ask.Flight) + max(0, ask.Keep)
  if ask.Alone > 0 and s.Mode == mode_known then s.Recover = max(s.Recover, now + recover_for) end
  if not shared.same(s, ask) then
    shared.charge(s, m, 0)
    m.Done, m.Carry = 0, max(0, ask.Carry + ask.Sent - ask.Done) + max(0, ask.Keep)
    if s.Mode ~= mode_slots then
      for _, u in ipairs(m.Uses) do u[SPENT], u[ARRIVED] = 0, 0 end
    end
    return false
  end
  local granted, repaired = ask.Sent + max(0, ask.Keep), false
  if granted > m.Granted and not ask.Shadow then s.Recover, repaired = now + recover_for, true end
  shared.charge(s, m, granted)
  m.Done, m.Carry = min(ask.Done, ask.Sent), max(0, ask.Carry)
  return repaired
end

function shared.same(s, ask)
  if ask.Epoch == s.Epoch then return true end
  return s.Mode == mode_known and s.Named == confirmed and ask.Name ~= 0 and abs(ask.Name - s.Name) <= shared.tolerance(s)
end

function shared.charge(s, m, granted)
  if s.Ring then
    local last = #s.Ring
    s.Ring[last] = max(0, s.Ring[last] + granted - m.Granted)
  end
  m.Granted = granted
end

function shared.own(s)
  local n = 0
  for _, m in ipairs(s.Members) do n = n + m.Granted + m.Carry end
  return n
end

function shared.granted(s)
  local n = 0
  for _, m in ipairs(s.Members) do n = n + m.Granted end
  return n
end

function shared.open(s, now)
  local n = 0
  for _, m in ipairs(s.Members) do
    if m.Expires >= now then
      if s.Mode == mode_slots then n = n + m.Granted - m.Done + m.Carry else n = n + m.Open end
    end
  end
  return n
end

function shared.replicas(s, now)
  local n = 0
  for _, m in ipairs(s.Members) do
    if m.Expires >= now then n = n + 1 end
  end
  return max(n, 1)
end

function shared.reconcile(s, m, ask, heard, before, now, a)
  if ask.RTT > 0 then s.RTT = div(3 * s.RTT + ask.RTT, 4) end
  if ask.HoldUntil > 0 then s.Hold = max(s.Hold, min(ask.HoldUntil, now + 2 * s.Span)) end
  local refused, silent = max(0, ask.Refused - m.Refused), max(0, ask.Unnamed - m.Unnamed)
  m.Refused, m.Unnamed = ask.Refused, ask.Unnamed
  if heard or ask.Seq == 1 then shared.hear(s, ask, refused, silent, now) end
  for i, o in ipairs(ask.Seen) do
    if s.Mode == mode_known and shared.current(s, o) then
      shared.observe(s, m, o, before, a)
    elseif s.Mode == mode_sliding and i == #ask.Seen then
      shared.restrict(s, o)
      s.External, s.Used = max(0, o.Used - shared.ring(s)), o.Used
    end
  end
end
