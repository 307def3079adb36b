-- Posts the signed webhooks of a file, each once: lines of signature, tab, body.
-- FIRST, STEP and MOST say which lines; when they run out, a request that fails says so.

local requests, sent = {}, 0

function init()
  local first, step = tonumber(os.getenv("FIRST")), tonumber(os.getenv("STEP"))
  local most = tonumber(os.getenv("MOST"))
  local number = 0
  for line in io.lines(os.getenv("WEBHOOKS")) do
    if #requests >= most then break end
    if number >= first and (number - first) % step == 0 then
      local signature, body = line:match("^(%S+)\t(.+)$")
      requests[#requests + 1] = wrk.format("POST", wrk.path, {
        ["Content-Type"] = "application/x-www-form-urlencoded",
        ["X-Twilio-Signature"] = signature,
      }, body)
    end
    number = number + 1
  end
  requests[#requests + 1] = wrk.format("GET", "/webhooks-ran-out")
end

function request()
  sent = math.min(sent + 1, #requests)
  return requests[sent]
end
