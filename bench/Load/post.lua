-- A wrk script: POSTs the file named by its argument, and prints one line of numbers for Wrk.cs.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(args)
  local file = assert(io.open(args[1], "r"))
  wrk.body = file:read("*a")
  file:close()
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("result %d %d %d %d %d %d %d\n", summary.requests, summary.duration,
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
