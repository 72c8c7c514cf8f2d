using System.Net;
using System.Net.Sockets;
using System.Text;
using TaskQueue.Bench.Reporting;

namespace TaskQueue.Bench.Servers;

/// <summary>Resident memory of a process in megabytes (10^6 bytes): current and peak.</summary>
internal sealed record Memory(double Now, double Peak);

/// <summary>The server under test, as a separate process.</summary>
internal sealed class ServerProcess : IDisposable
{
    private static readonly string Executable = Path.Combine(AppContext.BaseDirectory, "taskqueue.dll");
    private static readonly TimeSpan ReadyDeadline = TimeSpan.FromSeconds(60);

    private static readonly string[] TroubleWords = [" warn: ", " fail: ", " crit: "];

    private readonly ChildProcess _process;
    private int _linesWhenReady;

    private ServerProcess(ChildProcess process, Uri address)
    {
        _process = process;
        Address = address;
        Http = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 64 }) { BaseAddress = address };
    }

    public Uri Address { get; }

    public HttpClient Http { get; }

    /// <summary>Warnings and errors logged since it became ready.</summary>
    public IEnumerable<string> Trouble =>
        _process.Lines.Skip(_linesWhenReady).Where(line => TroubleWords.Any(word => line.Contains(word, StringComparison.Ordinal)));

    /// <summary>Runs <c>taskqueue migrate</c>.</summary>
    public static Task MigrateAsync(string database, CancellationToken cancellationToken) =>
        ChildProcess.RunAsync(DotNet, [Executable, "migrate"], Settings(database, rabbitMq: null), cancellationToken);

    /// <summary>Starts a server and waits until it is ready. Without RabbitMQ it uses the in-process bus.</summary>
    public static async Task<ServerProcess> StartAsync(string roles, string database, Uri? rabbitMq, CancellationToken cancellationToken,
        IReadOnlyDictionary<string, string>? more = null)
    {
        var settings = Settings(database, rabbitMq);
        foreach (var (key, value) in more ?? new Dictionary<string, string>())
            settings[key] = value;
        var address = new Uri($"http://127.0.0.1:{FreePort()}");
        var process = ChildProcess.Start(DotNet, [Executable, "--roles", roles, "--urls", address.ToString()], settings);
        var server = new ServerProcess(process, address);
        try
        {
            await server.WaitUntilReadyAsync(cancellationToken);
            server._linesWhenReady = process.Lines.Count;
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    public Memory ReadMemory() => new(Megabytes("VmRSS"), Megabytes("VmHWM"));

    /// <summary>CPU time since its start.</summary>
    public TimeSpan ReadCpuTime()
    {
        using var process = System.Diagnostics.Process.GetProcessById(_process.Id);
        return process.TotalProcessorTime;
    }

    /// <summary>Declares a push queue.</summary>
    public Task DeclarePushAsync(string queue, CancellationToken cancellationToken) =>
        PutQueueAsync(queue, """{"delivery":"push"}""", cancellationToken);

    /// <summary>Declares a queue, or replaces its settings.</summary>
    public async Task PutQueueAsync(string queue, string settings, CancellationToken cancellationToken)
    {
        using var body = new StringContent(settings, Encoding.UTF8, "application/json");
        using var answer = await Http.PutAsync($"/queues/{queue}", body, cancellationToken);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>Fails if the server logged warnings or errors, because the measurement is then invalid.</summary>
    public void DemandNoTrouble()
    {
        if (_process.HasExited)
            throw new BenchException($"the server has exited:\n{string.Join('\n', _process.Lines.TakeLast(10))}");
        if (Trouble.Any())
            throw new BenchException($"the server logged warnings or errors:\n{string.Join('\n', Trouble.Take(10))}");
    }

    public void Dispose()
    {
        Http.Dispose();
        _process.Dispose();
    }

    private static string DotNet => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    private static Dictionary<string, string> Settings(string database, Uri? rabbitMq) => new()
    {
        ["ConnectionStrings__TaskQueue"] = database,
        ["ConnectionStrings__RabbitMq"] = rabbitMq?.ToString() ?? "",
    };

    /// <summary>A free port of the loopback address.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private double Megabytes(string field) =>
        Machine.Field($"/proc/{_process.Id}/status", field) is { } value
            ? long.Parse(value.Split(' ')[0]) * 1024 / 1e6
            : throw new BenchException($"the server shows no {field}");

    private Task WaitUntilReadyAsync(CancellationToken cancellationToken) =>
        Wait.UntilAsync(
            async () =>
            {
                if (_process.HasExited)
                    throw new BenchException($"the server did not start:\n{string.Join('\n', _process.Lines)}");
                try
                {
                    using var answer = await Http.GetAsync("/health/ready", cancellationToken);
                    return answer.IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            ReadyDeadline, "the server is ready", cancellationToken);
}
