
-- The script of View. It changes nothing that this version can have written.

local now = clock()
local done = with(function(s)
  local view = shared.view(s, now)
  return { text = cjson.encode(write_view(view)), held = view.Held }
end)

local history = redis.pcall('LRANGE', history_key, 0, history_length - 1)
if history.err then
  discard(history_key, 'history', 'type')
  history = {}
end
return { odd, done.text, done.held, history }
