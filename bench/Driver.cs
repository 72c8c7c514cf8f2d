using System.Runtime.InteropServices;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Scenarios;

namespace TaskQueue.Bench;

/// <summary>Runs the scenarios and prints the report.</summary>
internal static class Driver
{
    public static async Task<int> RunAsync(BenchOptions options)
    {
        // On a signal it still stops its processes and drops its databases.
        using var stop = new CancellationTokenSource();
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        await using var run = new BenchRun(options, stop.Token);
        try
        {
            Console.WriteLine(await Report.WriteAsync(run, await MeasureAsync(run)));
            return 0;
        }
        catch (Exception fault) when (stop.IsCancellationRequested || fault is BenchException)
        {
            run.Say(stop.IsCancellationRequested ? "stopped" : fault.Message);
            return 1;
        }
    }

    private static async Task<List<Figure>> MeasureAsync(BenchRun run)
    {
        var figures = new List<Figure>();
        var wanted = run.Options.Scenarios.Count == 0 ? ScenarioList.Default : run.Options.Scenarios;
        foreach (var (name, runAsync) in ScenarioList.All.Where(s => wanted.Contains(s.Name)))
        {
            run.Scenario = name;
            figures.AddRange(await runAsync(run));
        }

        return figures;
    }
}
