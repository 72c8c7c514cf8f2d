using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using TaskQueue.Engine.Files;

namespace TaskQueue.Storage.S3;

/// <summary>File contents as objects of a bucket, named by their generated ids.</summary>
internal sealed partial class S3FileContents(S3Options options, ILogger<S3FileContents> logger) : IFileContents, IDisposable
{
    /// <summary>The begin of every id.</summary>
    internal const string Begin = "file-";

    private const int Page = 1000;

    private readonly S3Bucket _bucket = new(options);

    public long WriteBufferBytes => options.PartBytes;

    public Stream OpenWrite(string id) => new S3WriteStream(_bucket, id, fault => LogNotAborted(id, fault.Message));

    public async Task<Stream> OpenReadAsync(FileRecord file, CancellationToken cancellationToken) =>
        await S3ReadStream.OpenAsync(_bucket, file.Id, file.Bytes, cancellationToken);

    public Task DeleteAsync(string id) => _bucket.DeleteAsync(id, CancellationToken.None);

    public async IAsyncEnumerable<string> BeforeAsync(DateTime time)
    {
        string? next = null;
        do
        {
            (var page, next) = await _bucket.ListAsync(Begin, next, Page, CancellationToken.None);
            foreach (var (name, at) in page)
            {
                if (at < time)
                    yield return name;
            }
        }
        while (next is not null);
    }

    public async Task<int> RemoveUnfinishedAsync(DateTime time)
    {
        var removed = 0;
        (string, string)? next = null;
        do
        {
            try
            {
                (var page, next) = await _bucket.ListUploadsAsync(Begin, next);
                foreach (var (name, upload, at) in page)
                {
                    if (at >= time)
                        continue;
                    await _bucket.AbortAsync(name, upload, CancellationToken.None);
                    removed++;
                }
            }
            catch (FileStoreRefusedException fault) when (fault.InnerException is Amazon.S3.AmazonS3Exception
            {
                StatusCode: System.Net.HttpStatusCode.NotImplemented or System.Net.HttpStatusCode.MethodNotAllowed,
            })
            {
                LogNotListed(fault.Message); // such a server removes them itself, or keeps them
                return removed;
            }
        }
        while (next is not null);
        return removed;
    }

    public async Task ProbeAsync(CancellationToken cancellationToken)
    {
        var name = $"{Begin}probe-{Guid.NewGuid():N}"; // what a crash leaves is removed like a content without a row
        var content = "TaskQueue"u8.ToArray();
        await _bucket.PutAsync(name, content, cancellationToken);
        await using (var stream = await S3ReadStream.OpenAsync(_bucket, name, content.Length, cancellationToken))
        {
            var read = new byte[content.Length];
            if (await stream.ReadAtLeastAsync(read, read.Length, throwOnEndOfStream: false, cancellationToken) < read.Length
                || !read.AsSpan().SequenceEqual(content))
                throw new FileStoreRefusedException($"bucket {options.Bucket} returns other bytes than were written");
        }

        await _bucket.ListAsync(Begin, after: null, max: 1, cancellationToken);
        await _bucket.DeleteAsync(name, cancellationToken);
    }

    public void Dispose() => _bucket.Dispose();

    [LoggerMessage(LogLevel.Information, "The parts of {Id} could not be removed: {Reason}; the job abandoned-files removes them")]
    private partial void LogNotAborted(string id, string reason);

    [LoggerMessage(LogLevel.Information, "Unfinished uploads cannot be removed: {Reason}")]
    private partial void LogNotListed(string reason);
}
