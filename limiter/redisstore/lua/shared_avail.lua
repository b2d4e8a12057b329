
-- limiter/shared_avail.go

function shared.slots(s, now)
  local n = 8
  if s.With.Max > 0 then
    n = s.With.Max
  elseif s.With.Assume > 0 then
    n = s.With.Assume
  end
  local cut = shared.cut(s, now)
  if cut > 0 then n = min(n, cut) end
  return n
end

function shared.usable(s)
  if s.Mode == mode_slots then return shared.slots(s, s.Last) end
  if s.Mode == mode_cold then return shared.blindly(s) end
  if s.Mode ~= mode_known then return shared.rate(s, s.With.Max) end
  local limit = s.Limit
  if s.With.Max > 0 then limit = min(limit, s.With.Max) end
  return limit
end

function shared.blindly(s)
  local known = s.Limit
  if known == 0 then known = s.With.Assume end
  if s.With.Max > 0 then known = min(known, s.With.Max) end
  return max(1, div(known, 20))
end

function shared.available(s, now)
  local left
  if s.Mode == mode_slots then
    left = shared.slots(s, now) - shared.open(s, now)
  elseif s.Mode == mode_cold then
    left = shared.blindly(s) - shared.granted(s)
    if left <= 0 and now >= s.Probe and now >= s.Opened + probe_for then left = 1 end
  elseif s.Mode == mode_known then
    local own = shared.own(s)
    left = s.Limit - own - s.External - shared.margin(s, now)
    if s.With.Max > 0 then left = min(left, s.With.Max - own) end
    if s.Lost then left = min(left, shared.trial(s, now)) end
  else
    left = shared.rate(s, s.With.Max) - shared.ring(s) - s.External
  end
  return max(0, left)
end

function shared.trial(s, now)
  local left = shared.blindly(s) - s.Given
  if left > 0 then return left end
  if now >= s.Probe then return 1 end
  return 0
end

function shared.outside(s, now)
  local began, rate = s.Opened, s.Outside
  if s.Hi > 0 then began = min(began, s.Hi - s.Span) end
  local elapsed = now - began
  if s.External > 0 and elapsed >= 500 then rate = max(rate, s.External / elapsed) end
  return min(rate, shared.whole(s))
end

function shared.whole(s) return s.Limit / s.Span end

function shared.blind(s, now)
  local seen = s.SeenAt
  if seen == 0 or seen < s.Opened then seen = s.Opened end
  return min(max(0, now - seen) + s.RTT, s.Span)
end

function shared.margin(s, now)
  local rate, adapt = shared.outside(s, now), min(s.Adapt, 0.05 * s.Limit)
  if rate == 0 and adapt < 1 then return 0 end
  local x = rate * shared.blind(s, now)
  local m = x + 2 * math.sqrt(x) + adapt
  if s.With.Polite and s.Hi > now then m = m + rate * (s.Hi - now) end
  return int(m + 0.5)
end

function shared.blocked(s, now)
  local till = max(s.Held, s.Hold)
  if s.Shut then
    if s.Hi > now then
      till = max(till, s.Hi + roll_guard + 1)
    else
      till = max(till, now + 1000)
    end
  end
  if till <= now then return 0 end
  return till
end

function shared.allowed(s, now)
  local left = shared.available(s, now)
  local cut = shared.cut(s, now)
  if cut > 0 and s.Mode ~= mode_slots then left = min(left, cut - shared.open(s, now)) end
  if s.Mode == mode_known then left = shared.landing(s, shared.unconfirmed(s, left, now), now) end
  return max(0, left)
end

function shared.unconfirmed(s, left, now)
  if s.Named == confirmed or s.Clean >= 10 or s.Outside == 0 then return left end
  local theirs = int(min(s.Outside, shared.whole(s)) * (now - s.Opened))
  return min(left, div(shared.usable(s) - theirs, 2) - shared.own(s))
end

function shared.landing(s, left, now)
  local rate = shared.outside(s, now)
  if rate == 0 or left >= 3 * math.sqrt(rate * shared.blind(s, now)) + 2 then return left end
  return min(left, max(1, div(left, 2)) - shared.open(s, now))
end

function shared.doubt(s, left, now)
  if s.Mode ~= mode_known or not shared.clock(s) or s.Hi == 0 or s.Hi - s.Lo <= 50 then return 0 end
  local kept = min(3, div(s.Limit, 100), left)
  if now >= shared.probe_at(s) then
    if left <= kept then return max(0, left - 1) end
    return 0
  end
  return kept
end

function shared.probe_at(s) return max(s.Lo + div(s.Hi - s.Lo, 2), s.Probe) end
