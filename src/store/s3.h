/* s3.h - payloads as objects of an S3-compatible service.
 *
 *   s3://BUCKET/PREFIX?endpoint=https://minio.example:9000&...
 *
 * Each parameter may be there once; values are percent-decoded.
 *
 *   endpoint      http(s)://HOST[:PORT]; else AWS_ENDPOINT_URL_S3, else
 *                 AWS_ENDPOINT_URL, else https://s3.REGION.amazonaws.com
 *   region        else AWS_REGION, else AWS_DEFAULT_REGION, else us-east-1
 *   style         path (HOST/BUCKET/KEY) or virtual (BUCKET.HOST/KEY); without it
 *                 virtual at amazonaws.com and path elsewhere
 *   keys          hash: the key is PREFIX/1f9c0a..., the usual; or ref: it is
 *                 PREFIX/ and the record's object_ref, as edgesentry-rs has it
 *   credentials   env, file or imds; without it the first of these that has any
 *   profile       of the file; else AWS_PROFILE, else default
 *   ca            file of the certificates to trust instead of the system's
 *   lock          governance or compliance (Object Lock), together with
 *   retain-days   that many days from each put, or
 *   retain-until  a moment like 2036-01-01T00:00:00Z
 *   sse           AES256 or aws:kms (server-side encryption), and with the latter
 *   sse-kms-key-id  the key, if not the bucket's own
 *   connections   puts on their way together: 1 to 256, else 32
 *   attempts      for one request: 1 to 20, else 5
 *   timeout       seconds until a put is answered at the latest: 1 to 600, else 30
 *
 * Credentials never stand in the URL.  env: AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.  file: AWS_SHARED_CREDENTIALS_FILE,
 * else ~/.aws/credentials.  imds: the metadata service of the instance, version
 * 2, unless AWS_EC2_METADATA_DISABLED is true. */
#ifndef EDS_STORE_S3_H
#define EDS_STORE_S3_H

#include "store/objects.h"

/* eds_s3_open is eds_objects_open for s3://...; it asks for credentials, but
 * not yet for the bucket. */
int32_t eds_s3_open(struct eds_objects **out, const char *url, bool read_only,
                    struct eds_error *err);

#endif
