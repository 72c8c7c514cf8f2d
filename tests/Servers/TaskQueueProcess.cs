using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace TaskQueue.Tests.Servers;

/// <summary>TaskQueue as deployed: its executable, as a separate process.</summary>
public sealed class TaskQueueProcess : IAsyncDisposable
{
    private const int SigTerm = 15, SigCont = 18, SigStop = 19;
    private static readonly TimeSpan ReadyDeadline = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan CommandDeadline = TimeSpan.FromMinutes(3);
    private static int nextPort = Random.Shared.Next(10_000, 19_000);

    private readonly Command command;

    private TaskQueueProcess(Command command, int port)
    {
        this.command = command;
        Port = port;
        Http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
    }

    public int Port { get; }

    public int ProcessId => command.Id;

    public bool HasExited => command.HasExited;

    public HttpClient Http { get; }

    /// <summary>What the process has written so far, standard output and standard error.</summary>
    public string Output => command.Output;

    public IReadOnlyList<string> Lines => command.Lines;

    /// <summary>
    /// Starts a process and waits until it is ready. The settings are further configuration,
    /// e.g. "Logging:LogLevel:Default"; the executable is another version's, else this one's.
    /// </summary>
    public static async Task<TaskQueueProcess> StartAsync(
        string roles,
        string database,
        string? rabbitMq,
        IReadOnlyDictionary<string, string>? settings = null,
        int? port = null,
        string? executable = null)
    {
        var environment = new Dictionary<string, string> { ["ConnectionStrings__TaskQueue"] = database };
        if (rabbitMq is not null)
        {
            environment["ConnectionStrings__RabbitMq"] = rabbitMq;
        }

        foreach (var (name, value) in settings ?? new Dictionary<string, string>())
        {
            environment[name.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        var chosen = port ?? FreePort();
        var started = new TaskQueueProcess(
            Start(["--roles", roles, "--urls", $"http://127.0.0.1:{chosen}"], environment, executable: executable), chosen);
        try
        {
            await Eventually.UntilAsync(started.IsReadyAsync, ReadyDeadline, $"{roles} is ready");
            return started;
        }
        catch (Exception exception)
        {
            await started.DisposeAsync();
            throw new InvalidOperationException($"{exception.Message}\n{started.Output}", exception);
        }
    }

    /// <summary>Runs a command that exits by itself, such as migrate.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(
        string[] args, IReadOnlyDictionary<string, string>? environment = null, string? executable = null)
    {
        using var started = Start(args, environment, executable: executable);
        return (await started.WaitAsync(CommandDeadline), started.Output);
    }

    /// <summary>Starts a command that exits by itself or by a signal.</summary>
    internal static Command StartCommand(string[] args, IReadOnlyDictionary<string, string>? environment = null, string? input = null) =>
        Start(args, environment, input);

    /// <summary>Sends a signal, such as 2 for Ctrl-C, and returns the exit code.</summary>
    internal static async Task<int> SignalAsync(Command command, int signal)
    {
        Signal(command, signal);
        return await command.WaitAsync(CommandDeadline);
    }

    /// <summary>SIGKILL, as in a crash.</summary>
    public void Kill() => command.Kill();

    /// <summary>SIGSTOP: the process stands still, with its connections and locks, until it is thawed.</summary>
    public void Freeze() => Signal(command, SigStop);

    /// <summary>SIGCONT.</summary>
    public void Thaw() => Signal(command, SigCont);

    /// <summary>SIGTERM, as in a deployment; returns the exit code.</summary>
    public async Task<int> TerminateAsync(TimeSpan? deadline = null)
    {
        if (!command.HasExited)
            Signal(command, SigTerm);
        return await command.WaitAsync(deadline ?? TimeSpan.FromSeconds(30));
    }

    public ValueTask DisposeAsync()
    {
        Http.Dispose();
        command.Dispose();
        return ValueTask.CompletedTask;
    }

    private static void Signal(Command command, int signal)
    {
        if (SendSignal(command.Id, signal) != 0)
            throw new InvalidOperationException($"kill: error {Marshal.GetLastPInvokeError()}");
    }

    private static Command Start(string[] args, IReadOnlyDictionary<string, string>? environment, string? input = null,
        string? executable = null)
    {
        executable ??= Path.Combine(AppContext.BaseDirectory, "taskqueue.dll");
        var dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        return new Command(dotnet, [executable, .. args], environment, input);
    }

    private async Task<bool> IsReadyAsync()
    {
        if (command.HasExited)
        {
            throw new InvalidOperationException($"It exited with {await command.WaitAsync(CommandDeadline)}.");
        }

        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            using var response = await Http.GetAsync("/health/ready", timeout.Token);
            return response.StatusCode == HttpStatusCode.OK;
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }

    // Each one only once, and below the ports that the system assigns to outgoing connections.
    internal static int FreePort()
    {
        while (true)
        {
            var port = Interlocked.Increment(ref nextPort);
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Taken: try the next one.
            }
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int processId, int signal);
}
