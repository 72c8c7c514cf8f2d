using System.Data.Common;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using RabbitMQ.Client.Exceptions;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Queues;
using TaskQueue.Http.Auth;
using TaskQueue.Scheduler.Maintenance;
using TaskQueue.Storage;

namespace TaskQueue.Api.Hosting;

/// <summary>Checks that run before a process serves.</summary>
internal static partial class StartupChecks
{
    private const string ProtocolViolation = "08P01";

    /// <summary>A database that is busy, as during a rollout, may be slow; each try lasts as long as its timeout.</summary>
    private const int MaxTries = 4;

    /// <summary>A file store that does not answer may be away; tasks need none.</summary>
    private static readonly TimeSpan FilesPatience = TimeSpan.FromSeconds(10);

    public static async Task RunAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        services.GetService<IStartupValidator>()?.Validate(); // before any side effect
        services.GetRequiredService<ApiKeyStore>(); // loads the configured keys
        var database = services.GetRequiredService<DatabaseAddress>();
        var migrator = services.GetRequiredService<DatabaseMigrator>();
        services.GetRequiredService<DataFolder>().Create();
        services.GetRequiredService<SqliteLock>().Take(database);
        if (database.Provider == DatabaseProvider.Sqlite)
            await ReachOnceAsync(database, () => migrator.MigrateAsync(cancellationToken));
        else if (await ReachAsync(database, () => migrator.PendingAsync(cancellationToken)) is { Count: > 0 } pending)
            throw new StartupException($"{database} lacks {pending.Count} migration(s); run 'taskqueue migrate' first.");
        await DemandSettingsAsync(database, migrator, cancellationToken);

        await ReachAsync(database, async () =>
        {
            await services.GetRequiredService<DatabaseWatch>().MeasureAsync(cancellationToken);
            return true;
        });
        var queues = await ReachAsync(database, async () => await services.GetRequiredService<QueueCatalog>().AllAsync());
        await ReachAsync(database, async () =>
        {
            await services.GetRequiredService<IssuedKeys>().RefreshAsync(cancellationToken); // issued keys enable authentication
            return true;
        });
        await PrepareMaintenanceAsync(services, cancellationToken);
        await UseFilesAsync(services, cancellationToken);
        await DeclareQueuesAsync(services, queues.Values);
    }

    /// <summary>Demands settings of the database that the program relies on, and may not change itself.</summary>
    public static async Task DemandSettingsAsync(DatabaseAddress database, DatabaseMigrator migrator, CancellationToken cancellationToken)
    {
        if (await ReachAsync(database, () => migrator.MissingSettingsAsync(cancellationToken)) is { Count: > 0 } missing)
            throw new StartupException($"{database} lacks a setting; while nobody uses it, run: {string.Join("; ", missing)}");
    }

    /// <summary>Creates missing maintenance tables, in processes that use them.</summary>
    public static async Task PrepareMaintenanceAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        if (services.GetService<MaintenanceSchema>() is not { } schema)
            return;
        var database = services.GetRequiredService<DatabaseAddress>();
        try
        {
            await ReachAsync(database, async () =>
            {
                await schema.PrepareAsync(cancellationToken);
                return true;
            });
        }
        catch (StartupException fault)
        {
            throw new StartupException($"{fault.Message}; the tables of maintenance are missing or old: run 'taskqueue migrate' as a user "
                + $"who may create the schema {MaintenanceSchema.Name}");
        }
    }

    /// <summary>
    /// Runs a database operation, again if the database is slow; an unreachable database becomes a one-line startup error.
    /// </summary>
    public static async Task<T> ReachAsync<T>(DatabaseAddress database, Func<Task<T>> use)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await ReachOnceAsync(database, use);
            }
            catch (StartupException fault) when (tries < MaxTries && Chain(fault).Any(IsSlow))
            {
            }
        }
    }

    /// <summary>A timeout, also one that PostgreSQL says: of a statement, or of a transaction in which this program was slow.</summary>
    private static bool IsSlow(Exception fault) => fault is TimeoutException or DbException { SqlState: "57014" or "25P03" };

    /// <summary>The same, once.</summary>
    public static async Task<T> ReachOnceAsync<T>(DatabaseAddress database, Func<Task<T>> use)
    {
        try
        {
            return await use();
        }
        catch (UnknownDatabaseException fault)
        {
            throw new StartupException($"cannot use {database}: {fault.Message}");
        }
        catch (Exception fault) when (fault is DbException or TimeoutException or InvalidOperationException { InnerException: DbException }
            || IsOfFiles(fault))
        {
            var hint = Chain(fault).OfType<SqliteException>().FirstOrDefault() is { } sqlite ? Hint(sqlite)
                : IsOfPooler(fault) ? "behind PgBouncer, ConnectionStrings:TaskQueue needs 'No Reset On Close=true'"
                : "check ConnectionStrings:TaskQueue";
            throw new StartupException($"cannot use {database}: {OneLine(fault.InnerException as DbException ?? fault)}{Tls(fault)} "
                + $"({hint})", fault);
        }
    }

    private static string Hint(SqliteException fault) =>
        fault.SqliteErrorCode switch
        {
            5 or 6 => "another program has locked the file",
            8 => "the file or its folder is read-only",
            10 => "the disk reports an error",
            11 => "the file is damaged: restore a backup, or move it away to start with an empty database",
            13 => "the disk is full",
            26 => "the file is no SQLite database, or is damaged: restore a backup, or move it away to start with an empty database",
            _ => "the folder must exist and be writable",
        };

    /// <summary>What to do about a file that cannot be created, from the error number of Linux and macOS or of Windows.</summary>
    internal static string Hint(Exception fault) =>
        fault.HResult switch
        {
            5 => "the disk reports an error",
            23 or 24 => "too many files are open: raise the limit",
            28 or unchecked((int)0x80070070) => "the disk is full",
            30 or unchecked((int)0x80070013) => "the file or its folder is read-only",
            _ => "the folder must exist and be writable",
        };

    /// <summary>Whether a pooler refused the options of a session: see docs/pgbouncer.md.</summary>
    private static bool IsOfPooler(Exception fault) => Chain(fault).OfType<DbException>().Any(f =>
        f.SqlState == ProtocolViolation && f.Message.Contains("startup parameter", StringComparison.Ordinal));

    /// <summary>Whether the cause is a file, for example a certificate named in a connection string.</summary>
    private static bool IsOfFiles(Exception fault) => fault is IOException or UnauthorizedAccessException or CryptographicException;

    /// <summary>The TLS error, or an empty string.</summary>
    private static string Tls(Exception fault) =>
        Chain(fault).OfType<AuthenticationException>().FirstOrDefault() is { } tls ? $": {OneLine(tls)}" : "";

    private static async Task UseFilesAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        IFileContents contents;
        try
        {
            contents = services.GetRequiredService<IFileContents>();
        }
        catch (FileNotFoundException fault) when (fault.FileName?.StartsWith("AWSSDK.", StringComparison.Ordinal) == true)
        {
            throw new StartupException("TaskQueue:Files:Store is s3: add the packages AWSSDK.S3 and AWSSDK.SecurityToken to this program");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"cannot write to the folder of files: {OneLine(fault)} (check TaskQueue:Files:Path)");
        }

        // Only files need it: tasks are accepted, handed out and completed meanwhile.
        if (await ProbeAsync(contents, FilesPatience, cancellationToken) is { } problem)
            LogFilesUnreachable(services.GetRequiredService<ILogger<IFileContents>>(), problem);
    }

    /// <summary>Tries the file store.</summary>
    /// <returns>Why it does not work now; null if it does.</returns>
    /// <exception cref="StartupException">It never will with these settings.</exception>
    internal static async Task<string?> ProbeAsync(IFileContents contents, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        either.CancelAfter(patience);
        try
        {
            await contents.ProbeAsync(either.Token).WaitAsync(either.Token);
            return null;
        }
        catch (FileStoreRefusedException fault)
        {
            throw new StartupException($"cannot use the file store: {OneLine(fault)}");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return OneLine(fault);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"it does not answer within {patience.TotalSeconds:0.#} s";
        }
    }

    private static async Task DeclareQueuesAsync(IServiceProvider services, IEnumerable<QueueRecord> queues)
    {
        var address = services.GetRequiredService<BusAddress>();
        try
        {
            await services.GetRequiredService<PushTopology>().DeclareAllAsync(queues);
        }
        catch (OperationInterruptedException fault)
        {
            // For example a missing virtual host, or a queue that exists as a classic queue.
            throw new StartupException($"cannot use {address}: {OneLine(fault)} (check ConnectionStrings:RabbitMq)");
        }
        catch (BrokerUnreachableException fault) when (fault.InnerException is AuthenticationFailureException
            or OperationInterruptedException or SocketException { SocketErrorCode: SocketError.HostNotFound })
        {
            throw new StartupException($"cannot use {address}: {OneLine(fault.InnerException)} (check ConnectionStrings:RabbitMq)");
        }
        catch (BrokerUnreachableException fault) when (TlsProblem(address, fault) is not null)
        {
            throw new StartupException($"cannot use {address}: {TlsProblem(address, fault)} (check ConnectionStrings:RabbitMq and "
                + "TaskQueue:RabbitMq:Tls)");
        }
        catch (Exception fault) when (fault is BrokerUnreachableException or TimeoutException)
        {
            // The broker may just be starting: accepted tasks wait in the database until it is available.
            LogUnreachable(services.GetRequiredService<ILogger<BusAddress>>(), address);
        }
    }

    /// <summary>
    /// Explains a failed TLS handshake. With TLS 1.3 a broker rejects a client certificate only after the handshake succeeded for the
    /// client, which then just sees the connection close.
    /// </summary>
    private static string? TlsProblem(BusAddress address, BrokerUnreachableException fault)
    {
        if (address.RabbitMq?.Scheme != "amqps" || Chain(fault).Any(f => f is ConnectFailureException))
            return null;
        return Chain(fault).OfType<AuthenticationException>().FirstOrDefault() is { } tls ? $"TLS: {OneLine(tls)}"
            : Chain(fault).Any(f => f is IOException)
                ? "the broker closed the connection immediately; it may require a client certificate, or another one"
            : null;
    }

    private static IEnumerable<Exception> Chain(Exception fault)
    {
        for (var link = fault; link is not null; link = link.InnerException)
            yield return link;
    }

    private static string OneLine(Exception fault) => fault.Message.ReplaceLineEndings(" ");

    [LoggerMessage(LogLevel.Warning, "The file store does not work: {Reason}; continuing without it until it does")]
    private static partial void LogFilesUnreachable(ILogger logger, string reason);

    [LoggerMessage(LogLevel.Warning, "{Bus} cannot be reached yet; continuing without it until it can")]
    private static partial void LogUnreachable(ILogger logger, BusAddress bus);
}
