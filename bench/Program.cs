using System.CommandLine;
using System.Globalization;
using TaskQueue.Bench;
using TaskQueue.Bench.Scenarios;
using TaskQueue.Bench.Soak;

CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
var scenarios = new Argument<string[]>("scenarios") { Description = "Scenarios to run; default: all but peers, scale, search and soak.",
    Arity = ArgumentArity.ZeroOrMore };
scenarios.AcceptOnlyFromAmong([.. ScenarioList.All.Select(s => s.Name)]);
var quick = new Option<bool>("--quick") { Description = "Tiny sizes, one sample: a smoke test, not a measurement." };
var repeat = new Option<int?>("--repeat") { Description = "Samples per figure; default 3." };
var database = new Option<string>("--database") { Description = "PostgreSQL as superuser, or SQL Server as database creator.",
    Required = true };
var rabbitMq = new Option<string>("--rabbitmq") { Description = "RabbitMQ, with a dedicated virtual host.", Required = true };
var scratch = new Option<string>("--scratch") { Description = "A folder for temporary files.", Required = true };
var command = new Option<string>("--command")
{
    Description = "Command shown in the report.",
    DefaultValueFactory = _ => "TaskQueue.Bench",
};
var commit = new Option<string>("--commit") { Description = "Commit shown in the report.", DefaultValueFactory = _ => "unknown" };
var seconds = new Option<int?>("--seconds") { Description = "Soak: duration in seconds; default 1200." };
var rate = new Option<int?>("--rate") { Description = "Soak: tasks per second; default 2000." };
var retention = new Option<int?>("--retention") { Description = "Soak: seconds finished tasks are kept; default 120." };
var console = new Option<bool>("--console") { Description = "Soak: a Chromium shows the console meanwhile." };
var output = new Option<string>("--out")
{
    Description = "Soak: output folder for soak.md and soak.svg.",
    DefaultValueFactory = _ => "artifacts/soak",
};
repeat.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int?>() < 1)
        result.AddError("--repeat must be at least 1");
});

var root = new RootCommand("Measures TaskQueue and prints a Markdown table; see bench/README.md.")
{
    scenarios, quick, repeat, seconds, rate, retention, console, output, database, rabbitMq, scratch, command, commit,
};
root.SetAction(async (parsed, _) =>
{
    var isQuick = parsed.GetValue(quick);
    var soak = new SoakPlan(
        parsed.GetValue(seconds) ?? (isQuick ? 20 : 1200), parsed.GetValue(rate) ?? (isQuick ? 200 : 2000),
        parsed.GetValue(retention) ?? (isQuick ? 5 : 120), parsed.GetValue(output)!, parsed.GetValue(console));
    var options = new BenchOptions(
        parsed.GetValue(scenarios) ?? [], isQuick, parsed.GetValue(repeat) ?? (isQuick ? 1 : 3), parsed.GetValue(database)!,
        new Uri(parsed.GetValue(rabbitMq)!), parsed.GetValue(scratch)!, parsed.GetValue(command)!, parsed.GetValue(commit)!, soak);
    return await Driver.RunAsync(options);
});
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
