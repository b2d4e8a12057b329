
-- limiter/shared_follow.go

function shared.follow(s, ask, now, a)
  table.sort(ask.Seen, function(x, y) return x.Name < y.Name end)
  local closed
  for _, o in ipairs(ask.Seen) do closed = shared.place(s, o, now, a) or closed end
  return shared.pass(s, now) or closed
end

function shared.place(s, o, now, a)
  if s.Mode == mode_slots or s.Mode == mode_sliding then
    return nil
  elseif s.Mode ~= mode_known then
    shared.know(s, o, now)
  elseif shared.current(s, o) then
    if s.Named == expected then
      shared.learn(s, o, true)
      shared.confirm(s, o, now)
    end
  elseif o.Name > s.Name then
    return shared.proceed(s, o, now)
  elseif shared.contradicts(s, o) then
    s.Prev, s.Aligned, s.Lead, a.Conflict = o.Name, 0, s.Span, true
    shared.confirm(s, o, now)
  end
  return nil
end

function shared.current(s, o)
  return s.Named ~= unnamed and abs(o.Name - s.Name) <= shared.tolerance(s)
end

function shared.tolerance(s)
  if s.Sure then return div(s.Span, 4) end
  return min(div(s.Span, 4), 1200)
end

function shared.know(s, o, now)
  s.Lead = s.Span
  if o.First >= s.Opened and o.Hi > 0 and s.Mode == mode_cold then s.Lead = o.Hi - s.Opened end
  if s.Mode ~= mode_cold then shared.roll(s, now, false) end
  s.Mode, s.Unnamed, s.Ring = mode_known, 0, nil
  shared.restrict(s, o)
  s.Aligned, s.Slid = 0, 0
  shared.learn(s, o, true)
  shared.confirm(s, o, now)
end

function shared.proceed(s, o, now)
  if s.Named == unnamed then
    if o.Name - s.Name <= shared.tolerance(s) and not shared.apart(s, o) then return nil end
    shared.learn(s, o, true)
    shared.confirm(s, o, now)
    return nil
  end
  if shared.slides(s, o) then
    s.Name, s.Since, s.Lo, s.Hi = o.Name, now, o.Lo, o.Hi
    s.Slid = s.Slid + 1
    if s.Slid >= 3 then shared.slide(s, now) end
    return nil
  end
  local restarted = s.Used >= 4
  local closed = shared.roll(s, now, true)
  shared.learn(s, o, restarted)
  shared.confirm(s, o, now)
  return closed
end

function shared.apart(s, o)
  return not s.Sure and s.Name ~= 0 and o.Name - s.Name >= min_apart and o.First >= s.Opened - roll_guard
end

function shared.slides(s, o)
  if o.Name - s.Name < div(s.Span * 3, 4) and s.Used >= 4 and o.Used > div(s.Used, 2) then return true end
  s.Slid = 0
  return false
end

function shared.contradicts(s, o)
  local since = s.Opened
  if s.Named == confirmed then since = s.Since end
  return o.Sent > since + 10 and since > 0
end

function shared.confirm(s, o, now)
  local lo, hi = s.Lo, s.Hi
  if s.Named ~= expected or s.Name == 0 or abs(o.Name - s.Name) > shared.tolerance(s) then lo, hi = 0, 0 end
  s.Name, s.Named, s.Since = o.Name, confirmed, now
  s.Lo, s.Hi = lo, hi
  if o.Hi > 0 and hi == 0 then s.Lo, s.Hi = o.Lo, o.Hi end
end

function shared.learn(s, o, restarted)
  local prev = s.Prev
  s.Prev = o.Name
  local long = o.Lo - o.Last
  if o.Lo > 0 and long > s.Span then s.Span, s.Sure, s.Aligned = div(long + 999, 1000) * 1000, false, 0 end
  if o.Lo > 0 then s.Longest = max(s.Longest, o.Lo - o.First) end
  local d = o.Name - prev
  if prev == 0 or d < min_apart then return end
  local next = 2 * s.Longest >= d - 1000
  local slack = min(1000, div(s.Span, 5))
  local k = div(d + div(s.Span, 2), s.Span)
  local whole = k > 0 and abs(d - k * s.Span) <= slack
  if not s.Sure and whole then
    s.Sure = k == 1 and next
    s.Aligned = s.Aligned + 1
  elseif whole then
    s.Aligned = s.Aligned + 1
    if restarted and k == 1 and d >= jitters then s.Span = min(s.Span, shared.longest(d)) end
  elseif not restarted then
    return
  elseif not s.Sure or d < s.Span - slack then
    s.Span, s.Sure, s.Aligned, s.Longest = shared.longest(d), next, 0, min(s.Longest, d)
  else
    s.Aligned = 0
  end
end

function shared.longest(d)
  if d < jitters then return d end
  local round = div(d + 4999, 5000) * 5000
  if round - d <= 1000 then return round end
  return div(d + 1000, 1000) * 1000
end

function shared.clock(s)
  local without = s.Lead > 0 and s.Lead <= min(s.Longest, s.Span) - min(1000, div(s.Span, 4))
  return s.Sure and (s.Aligned >= 3 and without or s.Aligned >= 100)
end

function shared.pass(s, now)
  if s.Mode == mode_slots then
    if now >= s.Opened + default_span then
      shared.forecast(s, now)
      s.Opened = now
    end
  elseif s.Mode ~= mode_known and s.Mode ~= mode_cold then
    if now >= s.Opened + shared.pace_for(s) then return shared.roll(s, now, false) end
  elseif s.Hi > 0 and now > s.Hi + roll_guard then
    return shared.lapse(s, now)
  elseif s.Hi == 0 and now > s.Opened + 2 * s.Span then
    local closed = shared.roll(s, now, false)
    s.Mode, s.Named, s.Probe = mode_cold, unnamed, 0
    return closed
  end
  return nil
end

function shared.lapse(s, now)
  local lo, hi, name = s.Lo, s.Hi, s.Name
  local aligned = shared.clock(s) and s.Named ~= unnamed
  local closed = shared.roll(s, now, false)
  if not aligned then
    s.Named, s.Lo, s.Hi = unnamed, 0, 0
    return closed
  end
  local k = div(now - roll_guard - 1 - hi, s.Span) + 1
  s.Name, s.Named = name + k * s.Span, expected
  s.Lo, s.Hi = lo + k * (s.Span - 1), hi + k * (s.Span + 1)
  return closed
end

function shared.roll(s, now, proof)
  local closed = shared.record(s, now, proof)
  if s.Used > 0 then
    local whole = shared.whole(s)
    s.Outside = 0.7 * min(s.Outside, whole) + 0.3 * min(s.External / s.Span, whole)
    if s.Outside * s.Span < 0.05 then s.Outside = 0 end
    s.Clean = s.Clean + 1
    if s.External > 0 then s.Clean = 0 end
    s.Adapt = s.Adapt * 0.9
    if s.Adapt < 0.5 then s.Adapt = 0 end
  end
  shared.pace(s)
  shared.forecast(s, now)
  local gone = now - max(s.Span, forget_after)
  local kept = {}
  for _, m in ipairs(s.Members) do
    if m.Seen >= gone then kept[#kept + 1] = m end
  end
  s.Members = kept
  for _, m in ipairs(s.Members) do
    m.Carry = m.Carry + m.Granted - m.Done
    m.Granted, m.Done, m.Spent = 0, 0, 0
    for _, u in ipairs(m.Uses) do u[SPENT], u[ARRIVED] = 0, 0 end
  end
  s.Epoch, s.Opened = max(s.Epoch + 1, now), now
  s.Used, s.External, s.Shut, s.Refused, s.Aged, s.Probe = 0, 0, false, 0, 0, 0
  return closed
end

function shared.record(s, now, proof)
  local c = {
    Epoch = s.Epoch, Name = 0, Opened = s.Opened, Ended = now, Limit = shared.usable(s), Own = shared.own(s),
    External = s.External, Used = s.Used, Refused = s.Refused, Proof = proof, Wasted = 0, Counted = 0,
    By = shared.top(shared.parties(s, now), max_users),
  }
  if s.Named ~= unnamed then c.Name = s.Name end
  local spent = 0
  for _, usage in ipairs(c.By) do spent = spent + usage.Spent end
  for _, m in ipairs(s.Members) do
    c.Wasted = c.Wasted + m.Granted
    c.Counted = c.Counted + m.Done
  end
  c.Wasted = max(0, c.Wasted - spent)
  return c
end
