
-- limiter/shared_pace.go

local slices = 10

function shared.paced(s, mode, now)
  if s.Mode == mode then return end
  s.Mode, s.Named, s.Lo, s.Hi, s.External = mode, unnamed, 0, 0, 0
  s.Factor = 1
  if mode == mode_blind then s.Factor = 5 end
  s.Slice, s.Ring = div(now, shared.slice(s)), {}
  for i = 1, slices do s.Ring[i] = 0 end
  s.Ring[slices + 1] = shared.own(s)
end

function shared.slide(s, now)
  local own = shared.own(s)
  shared.paced(s, mode_sliding, now)
  s.External = max(0, s.Used - own)
end

function shared.slice(s)
  if s.Mode == mode_blind then return 200 end
  return max(1, div(s.Span, slices))
end

function shared.turn(s, now)
  if not s.Ring then return end
  local slice = div(now, shared.slice(s))
  for _ = 1, min(slice - s.Slice, slices + 1) do
    table.remove(s.Ring, 1)
    s.Ring[slices + 1] = 0
  end
  s.Slice = max(s.Slice, slice)
end

function shared.ring(s)
  local n = 0
  for _, tokens in ipairs(s.Ring) do n = n + tokens end
  return n
end

function shared.rate(s, maximum)
  if s.Mode == mode_blind then
    local tokens = int(2 * s.Factor)
    if maximum > 0 then tokens = min(tokens, max(1, div(maximum * 2000, s.Span))) end
    return max(1, tokens)
  elseif s.Mode == mode_sliding then
    return int(0.95 * s.Factor * s.Limit)
  end
  return max(1, int(0.9 * s.Factor * s.Limit))
end

function shared.min_factor(mode)
  if mode == mode_blind then return 0.5 end
  return 0.05
end

function shared.pace_for(s)
  if s.Mode == mode_blind then return 10000 end
  return s.Span
end

function shared.pace(s)
  if not s.Ring or s.CutAt >= s.Opened then return end
  if s.Mode == mode_blind then
    s.Factor = s.Factor + 1
    return
  end
  s.Factor = min(1, s.Factor + 0.1)
end
