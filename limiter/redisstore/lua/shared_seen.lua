
-- limiter/shared_seen.go

function shared.observe(s, m, o, before, a)
  if o.Sent >= s.LimitAt then shared.restrict(s, o) end
  local others = shared.own(s) - m.Granted - m.Carry
  s.External = max(s.External, o.Excess - others)
  s.Used = max(s.Used, o.Used)
  s.SeenAt = max(s.SeenAt, o.Last)
  s.Unnamed = 0
  if o.Sent >= s.Born then s.Lost, s.Given = false, 0 end
  shared.narrow(s, o, a)
  if o.Spent <= m.Spent then return end
  s.Refused = s.Refused + o.Spent - m.Spent
  m.Spent = o.Spent
  if not s.Shut and before > 0 then
    a.Unexpected = 1
    s.Adapt = min(s.Adapt + max(2, 0.002 * s.Limit), 0.05 * s.Limit)
  end
  s.Shut = true
end

function shared.restrict(s, o)
  if o.Limit > 0 then s.Limit = o.Limit end
  s.LimitAt = o.Sent
end

function shared.narrow(s, o, a)
  if o.Hi == 0 then return end
  local lo, hi = max(s.Lo, o.Lo), o.Hi
  if s.Hi > 0 then hi = min(hi, s.Hi) end
  if lo < hi then
    s.Lo, s.Hi = lo, hi
    return
  end
  s.Lo, s.Hi, s.Aligned, a.Conflict = o.Lo, o.Hi, 0, true
end

function shared.hear(s, ask, refused, silent, now)
  if refused > 0 then shared.throttle(s, now) end
  s.Unnamed = s.Unnamed + silent
  if s.Mode ~= mode_cold and s.Mode ~= mode_limit_only and s.Mode ~= mode_blind then return end
  if ask.LimitSeen > 0 and (silent > 0 or s.Mode == mode_limit_only) then
    s.Limit = ask.LimitSeen
    shared.paced(s, mode_limit_only, now)
  elseif s.Unnamed < 3 then
    return
  elseif ask.Assume > 0 then
    s.Limit = ask.Assume
    shared.paced(s, mode_limit_only, now)
  else
    shared.paced(s, mode_blind, now)
  end
end

local one_moment = 1000

function shared.throttle(s, now)
  if now - s.CutAt < max(one_moment, s.RTT) then return end
  if s.Ring then
    s.Factor = max(s.Factor / 2, shared.min_factor(s.Mode))
  elseif s.Mode == mode_slots then
    s.Cut = max(1, shared.slots(s, now) - 1)
  else
    s.Cut = max(1, div(shared.open(s, now), 2))
  end
  s.CutAt = now
end

function shared.cut(s, now)
  local past = now - s.CutAt
  if s.Cut == 0 or past >= 60000 then return 0 end
  if s.Mode == mode_slots then return s.Cut end
  return s.Cut + div(past, 1000)
end
