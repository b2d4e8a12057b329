
-- The script of View. It changes nothing that this version can have written.

local now = clock()
local view = with(function(s) return shared.view(s, now) end)

local history = redis.pcall('LRANGE', history_key, 0, history_length - 1)
if history.err then
  discard(history_key, 'history', 'type')
  history = {}
end
return { odd, cjson.encode(write_view(view)), view.Held, history }
