
-- limiter/shared_fill.go

local function water(total, takers, top)
  local low, high = 0, top
  for _ = 1, 50 do
    local level, need = (low + high) / 2, 0
    for _, t in ipairs(takers) do need = need + min(t.want, max(0, t.weight * level - t.used)) end
    if need > total then
      high = level
    else
      low = level
    end
  end
  return low
end

local function fill(total, takers)
  local sum, top = 0, 0
  for _, t in ipairs(takers) do
    t.got = 0
    sum = sum + t.want
    top = max(top, (t.used + t.want) / t.weight)
  end
  if total <= 0 then return end
  if sum <= total then
    for _, t in ipairs(takers) do t.got = t.want end
    return
  end
  local level = water(total, takers, top)
  for _, t in ipairs(takers) do
    t.got = min(t.want, max(0, floor(t.weight * level + 1e-9) - t.used))
    total = total - t.got
  end
  while total > 0 do
    local best, lowest
    for _, t in ipairs(takers) do
      local at = (t.used + t.got) / t.weight
      if t.got < t.want and (not best or at < lowest) then best, lowest = t, at end
    end
    best.got = best.got + 1
    total = total - 1
  end
end
