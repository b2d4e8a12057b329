
-- limiter/shared_grant.go

function shared.round(s, m, now)
  local r = { s = s, m = m, now = now, left = shared.allowed(s, now) }
  r.all, r.index = shared.parties(s, now)
  r.interactive = shared.needs(s, r.all, now)
  r.kept = shared.doubt(s, r.left, now)
  shared.sum(r)
  return r
end

function shared.grant(r, ask)
  local s, m, now = r.s, r.m, r.now
  m.Grants, m.Pool, m.Epoch = {}, 0, s.Epoch
  for i = 1, #m.Uses do m.Grants[i] = 0 end
  if ask.Leaving or shared.blocked(s, now) > 0 then return end
  r.most = r.left
  local n = max(shared.replicas(s, now), ask.Alone)
  if s.Recover > now and s.Mode == mode_known then
    r.most = min(r.left, max(div(r.left, 2 * n) - m.Open, 1 - min(1, m.Open)))
  elseif n > 1 or s.Recover > now then
    r.most = min(r.left, max(1, div(r.left, 2 * n)))
  end
  shared.guaranteed(r)
  for c = interactive, background do shared.fair(r, c) end
  shared.ahead(r, ask.Ahead - shared.held(s, ask))
  local total = m.Pool
  for i, got in ipairs(m.Grants) do
    local u = m.Uses[i]
    u[SPENT] = u[SPENT] + got
    u[WAITING] = u[WAITING] - got
    total = total + got
  end
  if total == 0 then return end
  local doubtful = s.Mode == mode_known and now < s.Hi and now >= shared.probe_at(s)
  shared.charge(s, m, m.Granted + total)
  m.Open = m.Open + total
  if s.Lost then s.Given, s.Probe = s.Given + total, now + probe_for end
  if s.Mode == mode_cold then
    s.Probe = now + probe_for
  elseif doubtful then
    s.Probe = now + s.RTT + 10
  end
end

-- sum adds up what protected and leave need of all callers; take keeps it right.
-- In Go they add it up each time.
function shared.sum(r)
  r.need, r.need_batch, r.used_batch, r.waiting_batch = 0, 0, 0, 0
  for _, p in ipairs(r.all) do
    r.need = r.need + p.need
    r.need_batch = r.need_batch + p.need_batch
    r.used_batch = r.used_batch + p.used_batch
    r.waiting_batch = r.waiting_batch + min(p.waiting[batch + 1], rest(p))
  end
end

function shared.take(r, i, n)
  local u = r.m.Uses[i]
  local p, class = r.index[u[CALLER]], u[CLASS]
  r.m.Grants[i] = r.m.Grants[i] + n
  r.left = r.left - n
  r.most = r.most - n
  local before = min(p.waiting[batch + 1], rest(p))
  p.used = p.used + n
  p.waiting[class + 1] = p.waiting[class + 1] - n
  r.waiting_batch = r.waiting_batch + min(p.waiting[batch + 1], rest(p)) - before
  if class ~= interactive then
    p.used_batch = p.used_batch + n
    r.used_batch = r.used_batch + n
    local need = max(0, p.need_batch - n)
    r.need_batch = r.need_batch + need - p.need_batch
    p.need_batch = need
  else
    r.interactive = max(0, r.interactive - n)
  end
  local need = max(0, p.need - n)
  r.need = r.need + need - p.need
  p.need = need
end

function shared.protected(r, but)
  if not but then return r.need, r.need_batch end
  return r.need - but.need, r.need_batch - but.need_batch
end

function shared.guaranteed(r)
  for c = interactive, background do
    for i, u in ipairs(r.m.Uses) do
      local p = r.index[u[CALLER]]
      local due = p.guarantee - p.used
      if u[CLASS] == c and due > 0 and r.most > 0 then
        local others = shared.protected(r, p)
        local can = r.left - others
        local sum = others + p.need
        if sum > 0 then can = max(can, div(r.left * p.need + sum - 1, sum)) end
        shared.take(r, i, max(0, min(u[WAITING] - r.m.Grants[i], due, rest(p), can, r.most)))
      end
    end
  end
end

function shared.fair(r, c)
  local base = max(0, r.left - r.kept - shared.leave(r, c))
  local can = min(base + shared.urgent(r, c), max(base, r.left - r.need))
  if can <= 0 then return end
  local takers, of = {}, {}
  for i, p in ipairs(r.all) do
    takers[i] = { used = p.used, weight = p.weight, want = min(p.waiting[c + 1], rest(p)) }
    of[p.Caller] = takers[i]
  end
  fill(can, takers)
  local mine, uses = {}, {}
  for i, u in ipairs(r.m.Uses) do
    if u[CLASS] == c then
      local p = r.index[u[CALLER]]
      uses[#uses + 1] = i
      mine[#mine + 1] = {
        used = p.used, weight = p.weight,
        want = max(0, min(u[WAITING] - r.m.Grants[i], of[u[CALLER]].got)),
      }
    end
  end
  fill(min(can, r.most), mine)
  local total = 0
  for k, t in ipairs(mine) do
    if t.got > 0 then
      shared.take(r, uses[k], t.got)
      total = total + t.got
    end
  end
  r.s.Aged = r.s.Aged + max(0, total - base)
end

function shared.leave(r, c, but)
  local need, need_batch = shared.protected(r, but)
  if r.s.Mode == mode_slots then return need end
  local kept = max(0, div(shared.usable(r.s), 10) - r.used_batch)
  if c == interactive then return need + max(0, min(kept, r.waiting_batch) - need_batch) end
  if c == batch then return max(0, min(max(need, r.interactive + need_batch), r.left - kept)) end
  return max(need, r.interactive + need_batch) + r.waiting_batch
end

function shared.urgent(r, c)
  local n = 0
  for _, u in ipairs(r.m.Uses) do
    if u[CLASS] == c and c ~= interactive then n = n + u[URGENT] end
  end
  return max(0, min(n, div(shared.usable(r.s), 20) - r.s.Aged))
end

function shared.held(s, ask)
  if not shared.same(s, ask) then return 0 end
  return ask.Keep
end

function shared.ahead(r, want)
  for _, p in ipairs(r.all) do
    for c = 1, 3 do
      if p.waiting[c] > 0 then return end
    end
  end
  local s = r.s
  if s.Mode == mode_slots or s.Mode == mode_cold or s.Recover > r.now then return end
  local spare = r.left - r.kept - shared.leave(r, batch)
  if want > 0 and spare >= 4 * shared.replicas(s, r.now) * max(1, want) then
    r.m.Pool = min(want, r.most)
    r.left = r.left - r.m.Pool
  end
end
