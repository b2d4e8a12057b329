
-- How an Answer goes out, under short names.

local answer_fields = {
  Now = 'now', Epoch = 'e', Mode = 'm', Name = 'n', Lo = 'lo', Hi = 'hi', Limit = 'l', Span = 'w', Tolerance = 'tol',
  Clock = 'k', Grants = 'g', Pool = 'p', Expires = 'x', Available = 'av', Own = 'own', External = 'ext', Margin = 'mrg',
  Used = 'um', Blocked = 'blk', Again = 'ag', Replicas = 'nr', Waiting = 'wt', SharesID = 'sid', Left = 'lf', Fair = 'fr',
  Repaired = 'rep', Conflict = 'cf', Unexpected = 'un',
}
local closed_fields = {
  Epoch = 'e', Name = 'n', Opened = 'o', Ended = 'd', Limit = 'l', Own = 's', External = 'x', Used = 'u',
  Wasted = 'w', Counted = 'k', Refused = 'r', Proof = 'p',
}
local usage_fields = { Caller = 'c', Spent = 's' }

-- short fails on numbers that no script can have come to: they are of a state
-- that none has written.
local function short(t, names)
  local out = {}
  for name, to in pairs(names) do
    local v = t[name]
    if type(v) == 'number' and not (v > -1e16 and v < 1e16) then error(name) end
    out[to] = v
  end
  return out
end

local function all_short(rows, names)
  local out = {}
  for i, row in ipairs(rows) do out[i] = short(row, names) end
  return out
end

local function write_closed(c)
  local out = short(c, closed_fields)
  out.by = all_short(c.By, usage_fields)
  return out
end

local function write_answer(a)
  local out = short(a, answer_fields)
  out.top = all_short(a.Top, usage_fields)
  if a.Closed then out.cl = write_closed(a.Closed) end
  return out
end

local caller_fields = { Caller = 'c', Spent = 's', Waiting = 'w', Rate = 'r' }

local function write_view(v)
  return { answer = write_answer(v.Answer), callers = all_short(v.Callers, caller_fields) }
end
