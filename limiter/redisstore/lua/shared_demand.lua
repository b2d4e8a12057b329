
-- limiter/shared_demand.go

local interactive, batch, background = 0, 1, 2 -- classes; their rows in tables of three are one higher

local function by_caller(a, b) return a.Caller < b.Caller end

local function nearest(x) return int(x + 0.5) end

local nobody = { Rate = { 0, 0, 0 }, Dev = { 0, 0, 0 }, Windows = 0, Before = { 0, 0, 0 } }

local function amount_none(a) return a.Percent == 0 and a.Tokens == 0 end

local function amount_of(a, limit)
  if a.Percent > 0 then return min(limit, int(a.Percent * limit / 100)) end
  return min(limit, a.Tokens)
end

local function rest(p)
  if p.cap < 0 then return 2147483647 end
  return max(0, p.cap - p.used)
end

-- parties returns the callers sorted, and by name.
function shared.parties(s, now)
  local limit = shared.usable(s)
  local list, index = {}, {}
  local function of(caller)
    local p = index[caller]
    if not p then
      p = {
        Caller = caller, weight = 1, guarantee = 0, cap = -1, used = 0, used_batch = 0,
        waiting = { 0, 0, 0 }, arrived = { 0, 0, 0 }, demand = nobody, need = 0, need_batch = 0,
      }
      index[caller] = p
      list[#list + 1] = p
    end
    return p
  end
  for _, share in ipairs(s.Shares) do
    local p = of(share.Caller)
    p.weight = max(1, share.Weight)
    if not amount_none(share.Guarantee) then p.guarantee = max(1, amount_of(share.Guarantee, limit)) end
    if not amount_none(share.Cap) then p.cap = max(1, amount_of(share.Cap, limit)) end
  end
  for _, d in ipairs(s.Demand) do of(d.Caller).demand = d end
  for _, m in ipairs(s.Members) do
    local alive = m.Expires >= now
    if alive or s.Mode ~= mode_slots then
      for _, u in ipairs(m.Uses) do
        local p, c = of(u[CALLER]), u[CLASS] + 1
        p.used = p.used + u[SPENT]
        if u[CLASS] ~= interactive then p.used_batch = p.used_batch + u[SPENT] end
        p.arrived[c] = p.arrived[c] + u[ARRIVED]
        if alive then p.waiting[c] = p.waiting[c] + u[WAITING] end
      end
    end
  end
  if s.Mode == mode_slots then
    for _, p in ipairs(list) do shared.since_before(p) end
  end
  table.sort(list, by_caller)
  return list, index
end

function shared.since_before(p)
  local d, before = p.demand, {}
  for c = 1, 3 do
    before[c] = min(d.Before[c], p.arrived[c])
    p.arrived[c] = p.arrived[c] - before[c]
  end
  p.demand = { Caller = d.Caller, Rate = d.Rate, Dev = d.Dev, Windows = d.Windows, Before = before }
end

function shared.forecast(s, now)
  local span = max(1, s.Span)
  local windows = min(20, max(1, div(now - s.Opened + div(span, 2), span)))
  local next = {}
  for _, p in ipairs((shared.parties(s, now))) do
    local was = p.demand
    local d = { Caller = p.Caller, Rate = {}, Dev = {}, Windows = was.Windows + 1, Before = {} }
    local total = 0
    for c = 1, 3 do
      local seen = p.arrived[c] / windows
      d.Before[c] = was.Before[c]
      if s.Mode == mode_slots then d.Before[c] = d.Before[c] + p.arrived[c] end
      if was.Windows == 0 then
        d.Rate[c], d.Dev[c] = seen, was.Dev[c]
      else
        local off = abs(seen - was.Rate[c])
        d.Dev[c] = 0.7 * was.Dev[c] + 0.3 * off
        d.Rate[c] = 0.7 * was.Rate[c] + 0.3 * seen
      end
      total = total + (d.Rate[c] + d.Dev[c])
    end
    if total >= 0.01 or p.guarantee > 0 then next[#next + 1] = d end
  end
  s.Demand = next
  if #next > max_users then
    table.sort(next, function(a, b)
      local x, y = a.Rate[1] + a.Rate[2] + a.Rate[3], b.Rate[1] + b.Rate[2] + b.Rate[3]
      if x ~= y then return x > y end
      return by_caller(a, b)
    end)
    for i = #next, max_users + 1, -1 do next[i] = nil end
    table.sort(next, by_caller)
  end
end

function shared.horizon(s, ends, now)
  if ends == 0 or s.Mode ~= mode_known then ends = s.Opened + s.Span end
  local left = min(max(0, ends - now), s.Span)
  return left, s.Span - left
end

function shared.expect(s, rate, dev, arrived, left, past)
  if past >= s.Span / 20 then rate = max(rate, (rate + arrived / past * s.Span) / 2) end
  local part = left / s.Span
  local x, d = rate * part, dev * part
  return x + spread * math.sqrt(x + d * d)
end

function shared.needs(s, list, now)
  if s.Mode == mode_slots then
    shared.needs_slots(list)
    return 0
  elseif s.Mode == mode_cold then
    return 0
  end
  local left, past = shared.horizon(s, s.Hi, now)
  local sure = shared.horizon(s, s.Lo, now)
  local rate, dev, arrived, waiting = 0, 0, 0, 0
  for _, p in ipairs(list) do
    local d = p.demand
    if p.cap < 0 then
      rate = rate + d.Rate[1]
      dev = dev + d.Dev[1] * d.Dev[1]
      arrived = arrived + p.arrived[1]
      waiting = waiting + p.waiting[1]
    else
      local own = shared.expect(s, d.Rate[1], d.Dev[1], p.arrived[1], sure, past)
      waiting = waiting + min(rest(p), p.waiting[1] + nearest(own))
    end
    if p.guarantee ~= 0 then
      local later = 0
      for c = 2, 3 do
        later = later + (p.waiting[c] + shared.expect(s, d.Rate[c], d.Dev[c], p.arrived[c], left, past))
      end
      local total = later + p.waiting[1] + shared.expect(s, d.Rate[1], d.Dev[1], p.arrived[1], left, past)
      if d.Windows < 2 then total = max(total, p.guarantee * left / s.Span) end
      local own = max(0, p.guarantee - p.used)
      p.need = min(own, nearest(total))
      p.need_batch = min(own, nearest(later))
    end
  end
  return waiting + nearest(shared.expect(s, rate, math.sqrt(dev), arrived, sure, past))
end

function shared.needs_slots(list)
  for _, p in ipairs(list) do
    local busy = p.used
    for c = 1, 3 do busy = busy + (p.waiting[c] + p.arrived[c] + int(p.demand.Rate[c] + 0.5)) end
    if busy > 0 then p.need = max(0, p.guarantee - p.used) end
  end
end

function shared.top(list, most)
  local used = {}
  for _, p in ipairs(list) do
    if p.used > 0 then used[#used + 1] = { Caller = p.Caller, Spent = p.used } end
  end
  table.sort(used, function(a, b)
    if a.Spent ~= b.Spent then return a.Spent > b.Spent end
    return by_caller(a, b)
  end)
  for i = #used, most + 1, -1 do used[i] = nil end
  return used
end
