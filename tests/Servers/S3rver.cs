namespace TaskQueue.Tests.Servers;

/// <summary>The server of the npm package s3rver, with a bucket in a folder of its own.</summary>
internal sealed class S3rver : IDisposable
{
    private const string Bucket = "taskqueue-files", Key = "S3RVER", Listens = "listening on ";
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    private readonly Command _process;
    private readonly string _folder;

    private S3rver(Command process, string folder) => (_process, _folder) = (process, folder);

    /// <summary>Stored objects.</summary>
    public int Objects => Directory.Exists(Path.Combine(_folder, Bucket, "q"))
        ? Directory.GetFiles(Path.Combine(_folder, Bucket, "q"), "*_object").Length : 0;

    /// <summary>All stored bytes, also those of parts.</summary>
    public long Bytes => new DirectoryInfo(_folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length);

    /// <summary>Settings of a server that stores its files here.</summary>
    public Dictionary<string, string?> Settings => new()
    {
        ["TaskQueue:Files:S3:Bucket"] = Bucket,
        ["TaskQueue:Files:S3:Prefix"] = "q/",
        ["TaskQueue:Files:S3:Endpoint"] = $"http://{Address}",
        ["TaskQueue:Files:S3:AllowHttp"] = "true",
        ["TaskQueue:Files:S3:PathStyle"] = "true",
        ["TaskQueue:Files:S3:AccessKey"] = Key,
        ["TaskQueue:Files:S3:SecretKey"] = Key,
        ["TaskQueue:Files:S3:PartBytes"] = $"{TestS3.MinPartBytes}",
    };

    private string? Address => _process.Lines.FirstOrDefault(l => l.Contains(Listens, StringComparison.Ordinal))?.Split(Listens)[^1].Trim();

    public static async Task<S3rver> StartAsync()
    {
        var clients = Repository.Clients;
        var folder = Directory.CreateTempSubdirectory("taskqueue-s3rver-").FullName;
        var script = Path.Combine(clients, "node_modules", "s3rver", "bin", "s3rver.js");
        var server = new S3rver(new Command("node", [script, "--directory", folder, "--address", "127.0.0.1", "--port", "0",
            "--no-vhost-buckets", "--configure-bucket", Bucket]), folder);
        try
        {
            await Eventually.UntilAsync(() => Task.FromResult(server.Address is not null || server._process.HasExited), Deadline,
                "s3rver listens");
            if (server.Address is null)
                throw new InvalidOperationException("s3rver has ended");
        }
        catch (Exception fault)
        {
            server.Dispose();
            throw new InvalidOperationException($"{fault.Message}\n{server._process.Output}", fault);
        }

        return server;
    }

    public void Dispose()
    {
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
