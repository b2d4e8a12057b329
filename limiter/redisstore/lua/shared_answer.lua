
-- limiter/shared_answer.go

local function zeros(n)
  local out = {}
  for i = 1, n do out[i] = 0 end
  return out
end

function shared.answer(s, r, ask)
  local m, now = r.m, r.now
  local a = {
    Now = now, Epoch = s.Epoch, Mode = s.Mode, Name = 0, Lo = s.Lo, Hi = s.Hi, Limit = shared.usable(s), Span = 0,
    Tolerance = shared.tolerance(s), Clock = shared.clock(s), Grants = m.Grants, Pool = m.Pool, Expires = m.Expires,
    Available = shared.available(s, now), Own = shared.own(s), External = s.External, Margin = shared.margin(s, now),
    Used = s.Used, Blocked = shared.blocked(s, now), Replicas = shared.replicas(s, now), Waiting = 0,
    SharesID = s.SharesID, Top = {},
  }
  if s.Named ~= unnamed then a.Name = s.Name end
  if s.Sure or s.Ring then a.Span = s.Span end
  if m.Epoch ~= s.Epoch or m.Seq ~= ask.Seq then a.Grants, a.Pool = zeros(#ask.Uses), 0 end
  if a.Mode == mode_slots then a.Own = shared.open(s, now) end
  shared.foretell(r, a, ask)
  return a
end

function shared.foretell(r, a, ask)
  local active = 0
  for _, p in ipairs(r.all) do
    local waiting = p.waiting[1] + p.waiting[2] + p.waiting[3]
    a.Waiting = a.Waiting + waiting
    if p.used + waiting > 0 then active = active + p.weight end
  end
  a.Left, a.Fair = zeros(#ask.Uses), zeros(#ask.Uses)
  for i, u in ipairs(ask.Uses) do
    local p = r.index[u[CALLER]]
    if p then
      local others = shared.protected(r, p)
      local left = max(r.left - shared.leave(r, u[CLASS], p), min(p.guarantee - p.used, r.left - others))
      a.Left[i] = max(0, min(left, rest(p)))
      a.Fair[i] = max(1, p.guarantee, div(a.Limit * p.weight, max(active, p.weight)))
      if p.cap >= 0 then a.Fair[i] = min(a.Fair[i], p.cap) end
    end
  end
  if a.Available <= div(a.Limit, 20) then a.Top = shared.top(r.all, 3) end
  a.Again = shared.again(r, a)
end

function shared.again(r, a)
  local s, now = r.s, r.now
  if a.Blocked > 0 then return a.Blocked end
  if s.Mode == mode_slots then return now + 100 end
  if s.Mode == mode_cold then return now + 50 end
  if s.Mode ~= mode_known then return (s.Slice + 1) * shared.slice(s) end
  local next = now + 200
  if r.left > 0 then
    next = shared.sooner(r, a)
  elseif s.Hi > 0 then
    next = s.Hi + roll_guard + 1
  end
  local granted = a.Pool
  for _, n in ipairs(a.Grants) do granted = granted + n end
  if granted == 0 then next = max(next, now + 20) end
  return next
end

local burst_pause = 20

function shared.hurried(r)
  for _, u in ipairs(r.m.Uses) do
    if u[CLASS] == interactive and u[WAITING] > 0 then return true end
  end
  return false
end

function shared.sooner(r, a)
  local s, now = r.s, r.now
  if a.Replicas > 1 and shared.spare(r) then
    if shared.hurried(r) then return now end
    return now + burst_pause
  end
  local next = now + 200
  if s.Hi > now then next = now + min(1000, max(20, div(s.Hi - now, 4))) end
  if r.kept > 0 then next = min(next, max(now + 1, shared.probe_at(s))) end
  return next
end

function shared.spare(r)
  for c = interactive, background do
    local can = r.left - r.kept - shared.leave(r, c)
    for _, p in ipairs(r.all) do
      if p.waiting[c + 1] > 0 and min(can, rest(p)) > 0 then return true end
    end
  end
  return false
end
