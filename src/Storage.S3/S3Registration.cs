using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Files;

namespace TaskQueue.Storage.S3;

/// <summary>Registers the storage of file contents in a bucket.</summary>
public static class S3Registration
{
    /// <summary>
    /// Adds the storage, which is created if <c>TaskQueue:Files:Store</c> is <c>s3</c>. Until then no assembly of the SDK is needed: the
    /// package of the test host has none.
    /// </summary>
    public static IServiceCollection AddTaskQueueS3Files(this IServiceCollection services)
    {
        services.AddOptions<S3Options>().BindConfiguration("TaskQueue:Files:S3").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IValidateOptions<S3Options>, S3OptionsCheck>();
        return services.AddKeyedSingleton<IFileContents>(FileStoreKind.S3, (provider, _) => new S3FileContents(
            provider.GetRequiredService<IOptions<S3Options>>().Value, provider.GetRequiredService<ILogger<S3FileContents>>()));
    }
}
