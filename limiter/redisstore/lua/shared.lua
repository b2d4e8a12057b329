
-- limiter/shared.go

local mode_cold, mode_known, mode_limit_only, mode_blind, mode_sliding, mode_slots =
  'cold', 'known', 'limit_only', 'blind', 'sliding', 'slots'
local kind_window, kind_concurrency = 0, 1
local unnamed, expected, confirmed = 0, 1, 2

local roll_guard, lease_for, recover_for, silent_for = 5, 3000, 2000, 2500
local probe_for, clock_slack, forget_after, default_span, jitters, min_apart = 5000, 250, 10000, 60000, 4000, 500

local max_users, spread = 64, 2.33

-- A Use is a row, because a bucket may have a thousand of them.
local CALLER, CLASS, WAITING, URGENT, SPENT, ARRIVED = 1, 2, 3, 4, 6, 7 -- 5 is Oldest

local floor, min, max, abs = math.floor, math.min, math.max, math.abs

-- int drops the fraction, as Go's conversion does.
local function int(x)
  if x < 0 then return -floor(-x) end
  return floor(x)
end

-- div is Go's division of integers.
local function div(a, b) return int(a / b) end



local shared = {}

local function fresh()
  return {
    Mode = '', Epoch = 0, Name = 0, Named = unnamed, Prev = 0, Since = 0, Opened = 0, Last = 0, Born = 0, Lost = false, Given = 0,
    Limit = 0, LimitAt = 0, Lo = 0, Hi = 0, Span = 0, Sure = false, Longest = 0, Lead = 0, Aligned = 0, Slid = 0,
    Used = 0, External = 0, SeenAt = 0, RTT = 0, Outside = 0, Clean = 0, Adapt = 0,
    Shut = false, Refused = 0, Hold = 0, Held = 0, Why = '', Recover = 0, Cut = 0, CutAt = 0,
    Probe = 0, Unnamed = 0, Aged = 0, Factor = 0, Slice = 0,
    With = { Kind = kind_window, Assume = 0, AssumeWindow = 0, Max = 0, Polite = false, Shadow = false, SharesID = '0' },
    SharesID = '0', Shares = {}, Members = {}, Demand = {}, Trips = 0,
  }
end

local function new_member(replica)
  return {
    Replica = replica, Seq = 0, Granted = 0, Done = 0, Carry = 0, Open = 0, Expires = 0, Unnamed = 0, Refused = 0,
    Spent = 0, Uses = {}, Epoch = 0, Grants = {}, Pool = 0, Seen = 0,
  }
end

function shared.acquire(s, ask, now)
  s.Trips = s.Trips + 1
  local m = shared.member(s, ask.Replica)
  if m.Seq ~= 0 and ask.Seq <= m.Seq then return shared.answer(s, shared.round(s, m, now), ask) end
  shared.begin(s, ask, now)
  shared.mistrust(s, ask, now)
  s.Last = now
  local heard = m.Seq ~= 0
  if not heard and shared.older(s, ask) then s.Lost = true end
  m.Seq, m.Seen, m.Expires = ask.Seq, now, now + lease_for
  local a = { Repaired = false, Conflict = false, Unexpected = 0 }
  local before = shared.available(s, now)
  if shared.same(s, ask) then a.Repaired = shared.merge(s, m, ask, now) end
  a.Closed = shared.follow(s, ask, now, a)
  m = shared.member(s, ask.Replica)
  a.Repaired = shared.merge(s, m, ask, now) or a.Repaired
  shared.reconcile(s, m, ask, heard, before, now, a)
  local r = shared.round(s, m, now)
  shared.grant(r, ask)
  local out = shared.answer(s, r, ask)
  out.Closed, out.Repaired, out.Conflict, out.Unexpected = a.Closed, a.Repaired, a.Conflict, a.Unexpected
  if ask.Leaving then shared.drop(s, m.Replica) end
  return out
end

function shared.begin(s, ask, now)
  if (ask.Kind == kind_concurrency and s.Mode ~= mode_slots) or (ask.Kind == kind_window and s.Mode == mode_slots) then
    local kept = { 'Trips', 'Members', 'Held', 'Why', 'Shares', 'SharesID' }
    local new = fresh()
    for _, name in ipairs(kept) do new[name] = s[name] end
    for name in pairs(s) do s[name] = nil end
    for name, v in pairs(new) do s[name] = v end
    for _, m in ipairs(s.Members) do shared.reset(m) end
  end
  if s.Epoch == 0 then
    s.Mode, s.Epoch, s.Opened, s.Last, s.Born = mode_cold, now, now, now, now
    if ask.Kind == kind_concurrency then s.Mode, s.Epoch = mode_slots, 1 end
  end
  if not s.Sure then
    s.Span = default_span
    if ask.AssumeWindow > 0 then s.Span = ask.AssumeWindow end
  end
  shared.turn(s, now)
  if ask.SharesID ~= s.SharesID and ask.Shares then s.SharesID, s.Shares = ask.SharesID, ask.Shares end
  s.With = {
    Kind = ask.Kind, Assume = ask.Assume, AssumeWindow = ask.AssumeWindow, Max = ask.Max,
    Polite = ask.Polite, Shadow = ask.Shadow, SharesID = ask.SharesID,
  }
end

function shared.older(s, ask)
  return s.LimitAt < s.Born and (ask.Name ~= 0 or (ask.Epoch ~= 0 and ask.Epoch < s.Born))
end

function shared.mistrust(s, ask, now)
  local jumped = now < s.Last - clock_slack
  if ask.At ~= 0 and abs(now - ask.At) > clock_slack then
    jumped = true
    ask.HoldUntil = 0
    for _, o in ipairs(ask.Seen) do o.Lo, o.Hi, o.Sent, o.First, o.Last = 0, 0, 0, 0, 0 end
  end
  for _, o in ipairs(ask.Seen) do
    if o.Hi <= max(o.Lo, o.Sent) then o.Lo, o.Hi = o.Sent, 0 end
  end
  if jumped then
    s.Lo, s.Hi = 0, 0
    s.LimitAt, s.Since, s.SeenAt = 0, 0, now
    s.Hold, s.Probe, s.Opened, s.CutAt = min(s.Hold, now + s.Span), 0, now, min(s.CutAt, now)
    s.Slice = min(s.Slice, div(now, shared.slice(s)))
  end
  if jumped or (s.Mode == mode_slots and now - s.Last > silent_for) then shared.await(s, now) end
end

function shared.await(s, now)
  s.Recover = now + recover_for
  for _, m in ipairs(s.Members) do
    m.Expires = now + recover_for
    m.Seen = now
  end
end

function shared.member(s, replica)
  local i = 1
  while s.Members[i] and s.Members[i].Replica < replica do i = i + 1 end
  local m = s.Members[i]
  if m and m.Replica == replica then return m end
  m = new_member(replica)
  table.insert(s.Members, i, m)
  return m
end

function shared.drop(s, replica)
  for i, m in ipairs(s.Members) do
    if m.Replica == replica then
      if s.Mode == mode_slots or m.Granted + m.Carry == 0 then
        table.remove(s.Members, i)
      else
        m.Expires = 0
      end
      return
    end
  end
end

function shared.reset(m)
  m.Granted, m.Done, m.Carry, m.Spent, m.Pool = 0, 0, 0, 0, 0
  m.Uses, m.Grants = {}, {}
end
