
-- limiter/shared_view.go

function shared.view(s, now)
  local v = { Callers = {}, Held = '' }
  if s.Epoch == 0 then
    v.Answer = { Now = now, Mode = mode_cold, SharesID = '0', Top = {}, Blocked = shared.blocked(s, now) }
    if s.Held > now then v.Held = s.Why end
    return v
  end
  shared.turn(s, now) -- s is not written back
  shared.pass(s, now)
  local r = shared.round(s, new_member(''), now)
  v.Answer = shared.answer(s, r, { Seq = 0, Uses = {} })
  v.Answer.Top = shared.top(r.all, max_users)
  for i, p in ipairs(r.all) do
    local c = { Caller = p.Caller, Spent = p.used, Waiting = p.waiting[1] + p.waiting[2] + p.waiting[3], Rate = {} }
    for class = 1, 3 do c.Rate[class] = int(p.demand.Rate[class] + 0.5) end
    v.Callers[i] = c
  end
  if s.Held > now then v.Held = s.Why end
  return v
end

function shared.block(s, till, why)
  s.Held, s.Why = till, why
end
