using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Encryption;

/// <summary>Registers the encryption of stored data.</summary>
internal static class EncryptionRegistration
{
    /// <summary>Adds the keys and the cipher of this process.</summary>
    public static IServiceCollection AddTaskQueueEncryption(this IServiceCollection services)
    {
        services.AddOptions<EncryptionOptions>().BindConfiguration("TaskQueue:Encryption").ValidateOnStart();
        services.AddSingleton<IValidateOptions<EncryptionOptions>, EncryptionKeys>();
        return services.AddSingleton<DataCipher>().AddSingleton<UnreadableTasks>();
    }
}
