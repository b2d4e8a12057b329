
-- How an Ask comes in and an Answer goes out: short names on the wire, those of
-- the Go types in here.

local ask_fields = {
  r = 'Replica', q = 'Seq', at = 'At', kind = 'Kind', asm = 'Assume', asw = 'AssumeWindow', max = 'Max',
  pol = 'Polite', shd = 'Shadow', sid = 'SharesID', e = 'Epoch', n = 'Name', s = 'Sent', k = 'Keep',
  d = 'Done', c = 'Carry', fl = 'Flight', al = 'Alone', u = 'Unnamed', f = 'Refused', l = 'LimitSeen', h = 'HoldUntil', rtt = 'RTT',
  a = 'Ahead', bye = 'Leaving',
}
local seen_fields = {
  n = 'Name', l = 'Limit', t = 'Sent', f = 'First', r = 'Last', u = 'Used', x = 'Excess', lo = 'Lo', hi = 'Hi', z = 'Spent',
}
local share_fields = { c = 'Caller', g = 'Guarantee', m = 'Cap', w = 'Weight' }
local amount_fields = { p = 'Percent', t = 'Tokens' }

-- named returns the fields of t under their names, 0 where one was left out.
local function named(t, names)
  local out = {}
  for short, name in pairs(names) do out[name] = t[short] or 0 end
  return out
end

local function all(rows, names)
  local out = {}
  for i, row in ipairs(rows or {}) do out[i] = named(row, names) end
  return out
end

local function read_shares(rows)
  local out = all(rows, share_fields)
  for _, share in ipairs(out) do
    share.Guarantee, share.Cap = named(share.Guarantee, amount_fields), named(share.Cap, amount_fields)
  end
  return out
end

local function read_uses(rows)
  local out = {}
  for i, u in ipairs(rows or {}) do
    out[i] = { u.c, u.x, u.w or 0, u.u or 0, u.o or 0, u.s or 0, u.a or 0 } -- CALLER to ARRIVED
  end
  return out
end

local function read_ask(text)
  local wire = cjson.decode(text)
  local ask = named(wire, ask_fields)
  ask.Polite, ask.Shadow, ask.Leaving = wire.pol == true, wire.shd == true, wire.bye == true
  ask.Seen, ask.Uses = all(wire.o, seen_fields), read_uses(wire.w)
  if wire.shr and wire.shr ~= cjson.null then ask.Shares = read_shares(wire.shr) end
  return ask
end
